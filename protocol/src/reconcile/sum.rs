//! The sum of ids modulo 2^256: what steers a comparison inside an epoch.
//!
//! It is cheap enough for every node of a tree, and not safe alone: authors choose ids, and sets of equal sum can be
//! forged. [`super::LtHash`] decides.

use crate::id::EventId;

/// A sum of ids, each taken as a little-endian integer of 256 bits, modulo 2^256.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Sum([u64; 4]);

impl std::fmt::Debug for Sum {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Sum({:016x}..)", self.0[0])
    }
}

impl Sum {
    /// Adds one id.
    #[inline]
    pub fn add_id(&mut self, id: &EventId) {
        self.add(&Self::from_bytes(&id.0));
    }

    /// Adds another sum.
    #[inline]
    pub fn add(&mut self, other: &Self) {
        let mut carry = false;
        for (limb, added) in self.0.iter_mut().zip(other.0) {
            let (sum, over) = limb.overflowing_add(added);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over | over_again;
        }
    }

    /// Takes another sum away.
    #[inline]
    pub fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (limb, taken) in self.0.iter_mut().zip(other.0) {
            let (rest, under) = limb.overflowing_sub(taken);
            let (rest, under_again) = rest.overflowing_sub(u64::from(borrow));
            *limb = rest;
            borrow = under | under_again;
        }
    }

    /// The integer, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *chunk = limb.to_le_bytes();
        }
        bytes
    }

    /// The sum that [`Sum::to_bytes`] wrote.
    #[inline]
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*chunk);
        }
        Self(limbs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Byte by byte, as one adds on paper.
    fn on_paper(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
        let mut carry = 0;
        std::array::from_fn(|at| {
            let sum = u16::from(a[at]) + u16::from(b[at]) + carry;
            carry = sum >> 8;
            sum as u8
        })
    }

    proptest! {
        #[test]
        fn a_sum_is_the_one_on_paper_and_can_be_taken_back(a: [u8; 32], b: [u8; 32]) {
            let mut sum = Sum::from_bytes(&a);
            sum.add_id(&EventId(b));
            prop_assert_eq!(sum.to_bytes(), on_paper(&a, &b));
            sum.subtract(&Sum::from_bytes(&b));
            prop_assert_eq!(sum.to_bytes(), a);
        }
    }

    #[test]
    fn a_carry_runs_through_all_limbs_and_out_of_the_last() {
        let mut sum = Sum::from_bytes(&[0xff; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        sum.add_id(&EventId(one));
        assert_eq!(sum, Sum::default());
        sum.subtract(&Sum::from_bytes(&one));
        assert_eq!(sum.to_bytes(), [0xff; 32]);
    }
}
