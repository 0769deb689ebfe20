//! temporary
/// x
pub fn is_clean_name(name: &str, max: usize) -> bool {
    let n = name.chars().count();
    (1..=max).contains(&n) && !name.chars().any(char::is_control)
}
