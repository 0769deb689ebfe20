//! In which language pages speak, and in which they say that strangers' words are.

use super::with_page;
use roda_tests::page::{Browser, FORM, encoded};
use roda_tests::wait::{DEADLINE, eventually};

#[test]
fn a_portuguese_reader_is_told_formulas_findings_shares_and_errors_in_portuguese() {
    let node = with_page();
    let person = Browser::of(&node);
    let board = node.found("garden");
    let post = node.post(&board, "Beans");
    let read = |path: &str| person.ask("GET", path, &[("accept-language", "pt-PT,pt;q=0.9,en;q=0.5")], "");
    let pages = [
        ("/?sort=balanced", "a segunda conversa de um autor recua 6 horas"),
        ("/help", "a hora da publicação; a mais recente primeiro"),
        ("/directory", "último dia ativo (o mais tardio primeiro)"),
        ("/power", "nenhum par está ligado"),
        ("/node", "as chaves e os dados são só deste utilizador"),
        (&format!("/why/{post}"), "a própria chave do autor"),
        ("/t/zzzz", "um id tem 64 dígitos hexadecimais"),
        ("/author/x", "um autor é `@` e 52 letras e algarismos"),
        ("/b/nowhere", "Nenhum fórum aqui tem esse nome ou esse id."),
    ];
    for (path, words) in pages {
        let page = read(path).body;
        assert!(page.contains("<html lang=\"pt\"") && page.contains(words), "{path}: {page}");
        // Notices of the system stand on the page of the node.
        assert!(path == "/node" || !page.contains("lang=\"en\""), "{path} still has English in it: {page}");
    }
    // What only the system can say stays English, and says so; what it comes to is Portuguese.
    let unreadable = read("/power?days=x");
    assert_eq!(unreadable.status, 400);
    assert!(
        unreadable.body.contains("Isto não pode ser feito tal como foi pedido. <span lang=\"en\">"),
        "{unreadable:?}"
    );
    let token = person.form_token();
    let untitled = encoded(&[("form", &token), ("board", &board), ("title", " "), ("text", "kept")]);
    let headers = [FORM, ("sec-fetch-site", "same-origin"), ("accept-language", "pt")];
    let refused = person.ask("POST", "/post", &headers, &untitled);
    assert!(refused.status == 400 && refused.body.contains("Uma publicação precisa de um título."), "{refused:?}");
    let stranger = Browser::at(node.ready()["web"].as_str().unwrap());
    let door = stranger.ask("GET", "/", &[("accept-language", "pt")], "");
    assert!(door.status == 401 && door.body.contains("Esta página é para quem tem este nó."), "{door:?}");
    let findings = read("/api/v1/doctor").body;
    assert!(findings.contains("keys and data are this user's alone"), "the API speaks English: {findings}");
}

#[test]
fn words_are_said_to_be_in_the_language_that_the_boards_charter_names() {
    let node = with_page();
    let person = Browser::of(&node);
    let found = ["board", "new", "horta", "--work", "0", "--language", "pt-BR", "--title", "Para quem planta"];
    let horta = node.object(&found)["board"].as_str().unwrap().to_owned();
    let garden = node.found("garden");
    let post = node.post(&horta, "Feijões");
    node.reply(&post, "caracóis");
    let other = node.post(&garden, "Beans");
    let author = node.object(&["id", "show"])["author"].as_str().unwrap().to_owned();
    eventually("the index has them", DEADLINE, || (node.object(&["search", "words"])["found"] == 2).then_some(()));
    let pages = [
        ("/".to_owned(), "<span lang=\"pt-BR\">Feijões</span>"),
        (format!("/b/{horta}"), "<p class=\"lead\" dir=\"auto\" lang=\"pt-BR\">Para quem planta</p>"),
        (format!("/t/{post}"), "dir=\"auto\" lang=\"pt-BR\">Feijões</h1>"),
        (format!("/t/{post}"), "<div class=\"text\" dir=\"auto\" lang=\"pt-BR\"><p>caracóis</p>"),
        (format!("/author/{author}"), "lang=\"pt-BR\">Feijões</a>"),
        ("/search?words=words".to_owned(), "<p class=\"excerpt\" dir=\"auto\" lang=\"pt-BR\">"),
        (format!("/history/{post}"), "<div class=\"text\" dir=\"auto\" lang=\"pt-BR\">"),
        (format!("/reply/{post}"), "<div class=\"text\" dir=\"auto\" lang=\"pt-BR\">"),
    ];
    for (path, words) in pages {
        let page = person.get(&path).body;
        assert!(page.contains(words), "{path}: {page}");
    }
    let page = person.get(&format!("/t/{other}")).body;
    assert!(page.contains("dir=\"auto\">Beans</h1>"), "no charter, no language: {page}");
    assert_eq!(page.matches("lang=").count(), 1, "but for the page's own: {page}");
}
