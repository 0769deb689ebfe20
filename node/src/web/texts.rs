//! The words of the page, in every language that it speaks, side by side: a text that lacks one doesn't compile.
//!
//! Owns the choice of language and the words; templates own where they stand. `%n` is a number, `%s` a text. What explains things
//! beyond the page, and is told by the API in English, too, is in `explanations`.

use axum::http::header::{self, HeaderMap};
use std::fmt::Display;

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    /// English.
    #[default]
    En,
    /// Portuguese.
    Pt,
}

impl Language {
    /// The words of this language.
    pub(crate) fn texts(self) -> &'static Texts {
        match self {
            Self::En => &EN,
            Self::Pt => &PT,
        }
    }

    /// The language of a BCP 47 tag, if the page speaks it.
    fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "pt" => Some(Self::Pt),
            _ => None,
        }
    }

    /// What a browser asks for (`Accept-Language`): the one of ours that it likes best, else English.
    pub(crate) fn accepted(header: &str) -> Self {
        let wishes = header.split(',').take(16).filter_map(|wish| {
            let (tag, quality) = wish.split_once(";q=").unwrap_or((wish, "1"));
            let quality = quality.trim().parse::<f32>().ok().filter(|quality| *quality > 0.0)?;
            Self::of_tag(tag.trim()).map(|language| (quality, language))
        });
        // The first of those that are liked equally.
        let best = wishes.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, language)| language).unwrap_or_default()
    }
}

impl Language {
    /// What a browser asks for, as its headers say.
    pub(super) fn of_browser(headers: &HeaderMap) -> Self {
        let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        header.map(Self::accepted).unwrap_or_default()
    }
}

macro_rules! catalogue {
    ($(#[$about:meta])* $of:ident; $($name:ident: $en:literal, $pt:literal;)*) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(crate) struct $of {
            $(#[doc = $en] pub(crate) $name: &'static str,)*
        }

        pub(super) static EN: $of = $of { $($name: $en,)* };
        pub(super) static PT: $of = $of { $($name: $pt,)* };

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $pt),)*];
    };
}

mod explanations;

pub(crate) use explanations::{ENGLISH, Explanations};

catalogue! {
    /// Every text of the page in one language.
    Texts;
    partial: "The index is being rebuilt from the log (%n\u{a0}%): until then a part is shown.", "O índice está a ser reconstruído a partir do registo (%n\u{a0}%): até lá mostra-se uma parte.";
    lang: "en", "pt";
    skip: "Skip to the content", "Saltar para o conteúdo";
    nav: "Main", "Principal";
    feed: "Feed", "Início";
    boards: "Boards", "Fóruns";
    inbox: "Inbox", "Caixa de entrada";
    search: "Search", "Procurar";
    search_words: "Words", "Palavras";
    search_hint: "All words have to be there, in any form. \"These words\" in quotation marks: exactly so. -word: must not be there.",
        "Todas as palavras têm de estar lá, em qualquer forma. \"Estas palavras\" entre aspas: exatamente assim. -palavra: não pode estar.";
    search_do: "Search", "Procurar";
    search_filters: "Where, by whom, when", "Onde, de quem, quando";
    search_all_boards: "All boards", "Todos os fóruns";
    search_author: "Author (a name, or @ and the key)", "Autor (um nome, ou @ e a chave)";
    search_since: "From this day on", "A partir deste dia";
    search_until: "Up to this day", "Até este dia";
    search_relevance: "what fits best", "o que melhor corresponde";
    search_post: "post", "publicação";
    search_comment: "comment", "comentário";
    found_one: "%n found", "%n encontrado";
    found_many: "%n found", "%n encontrados";
    search_none: "Nothing was found. Fewer words find more.", "Nada foi encontrado. Menos palavras encontram mais.";
    search_incomplete: "%n of %s were searched: the rest is being read. Try again in a moment.",
        "Foram pesquisados %n de %s: o resto está a ser lido. Tente de novo daqui a pouco.";
    search_problem: "Not all could be searched:", "Nem tudo pôde ser pesquisado:";
    node: "Node", "Nó";
    settings: "Settings", "Definições";
    help: "Help", "Ajuda";
    new_post: "New post", "Nova publicação";
    log_out: "Log out", "Sair";
    log_in: "Log in", "Entrar";
    password: "Password", "Palavra-passe";
    login_hint: "This page is for the person who runs this node. On the machine of the node the command `roda web` prints a link that logs a browser in without the password, and `roda web password` sets a new one.",
        "Esta página é para quem tem este nó. Na máquina do nó, o comando `roda web` mostra uma ligação que entra sem palavra-passe, e `roda web password` define uma nova.";
    login_wrong: "That is not the password.", "Essa não é a palavra-passe.";
    login_wait: "Too many tries: this one was not looked at. Wait %n s.",
        "Demasiadas tentativas: esta não foi verificada. Espere %n s.";
    login_closed: "No password can be used here now. `roda web password`, on the machine of the node, sets one.",
        "Neste momento nenhuma palavra-passe serve aqui. `roda web password`, na máquina do nó, define uma.";
    door_private: "This page is for the person who runs this node. Open the link that the command `roda web` prints: it logs this browser in.",
        "Esta página é para quem tem este nó. Abra a ligação que o comando `roda web` mostra: faz entrar este navegador.";
    door_used_link: "This login link was used, or is too old. Get a new one with the command `roda web`.",
        "Esta ligação já foi usada, ou é demasiado antiga. Peça uma nova com o comando `roda web`.";
    door_logged_out: "You are logged out. `roda web` gives a new login link.", "Saiu. `roda web` dá uma nova ligação para entrar.";
    door_from_elsewhere: "This came from another page than Roda's own, and was not carried out.",
        "Isto veio de uma página que não é da Roda, e não foi feito.";
    door_no_token: "The form's token is missing or of another session. Go back, load the page again, and send it anew.",
        "O código do formulário falta ou é de outra sessão. Volte atrás, carregue a página de novo, e envie outra vez.";
    door_busy: "Too many requests: wait a moment.", "Demasiados pedidos: espere um momento.";
    door_slow: "The node took too long. Load the page again.", "O nó demorou demasiado. Carregue a página de novo.";
    door_too_long: "That is too long.", "Isso é demasiado longo.";
    door_other_name: "This door does not answer to that name. Use the address that `roda web` prints, or add the name to `web.allowed_hosts` in config.toml.",
        "Esta porta não responde a esse nome. Use o endereço que `roda web` mostra, ou junte o nome a `web.allowed_hosts` no config.toml.";
    you_write_as: "You write as", "Escreve como";
    sorted: "Order", "Ordem";
    sort_new: "new", "recentes";
    sort_active: "active", "ativas";
    sort_hot: "hot", "em alta";
    sort_top: "top", "mais votadas";
    sort_balanced: "balanced", "equilibrada";
    sort_new_why: "Newest posts first.", "As publicações mais recentes primeiro.";
    sort_active_why: "The threads that were answered last come first.",
        "Primeiro as conversas com a resposta mais recente.";
    sort_hot_why: "Votes count less as a post gets older.", "Os votos pesam menos à medida que a publicação envelhece.";
    sort_top_why: "Most votes up, less votes down, within the time chosen.",
        "Mais votos a favor, menos os votos contra, no período escolhido.";
    sort_balanced_why: "As hot, but each further post of the same author stands further down.",
        "Como em alta, mas cada nova publicação do mesmo autor desce um pouco.";
    range_day: "day", "dia";
    range_week: "week", "semana";
    range_month: "month", "mês";
    range_year: "year", "ano";
    range_all: "all", "sempre";
    next_page: "Next page", "Página seguinte";
    empty_feed: "Nothing here yet.", "Ainda não há nada aqui.";
    empty_feed_no_boards: "You follow no boards yet. Open one, or join one with an invite.",
        "Ainda não segue nenhum fórum. Abra um, ou entre num com um convite.";
    in_board: "in", "em";
    by: "by", "por";
    you: "you", "você";
    no_title: "(no title)", "(sem título)";
    comment_one: "%n comment", "%n comentário";
    comment_many: "%n comments", "%n comentários";
    new_one: "%n new", "%n nova";
    new_many: "%n new", "%n novas";
    point_one: "%n point", "%n ponto";
    point_many: "%n points", "%n pontos";
    reply_one: "%n reply", "%n resposta";
    reply_many: "%n replies", "%n respostas";
    votes_raw: "Votes are counted one for each author, without weighing who they are.",
        "Conta-se um voto por autor, sem pesar quem é.";
    just_now: "just now", "agora mesmo";
    minutes_ago: "%n min ago", "há %n min";
    hours_ago: "%n h ago", "há %n h";
    days_ago: "%n d ago", "há %n d";
    in_future: "dated ahead", "com data adiantada";
    unread: "new", "nova";
    edited: "edited", "editada";
    edited_history: "see what it said before", "ver o que dizia antes";
    retracted: "Taken back by its author.", "Retirada pelo seu autor.";
    missing: "This comment is not here yet. It is being asked for; its answers are below.",
        "Este comentário ainda não está aqui. Está a ser pedido; as respostas estão abaixo.";
    missing_post: "The post is not here yet. It is being asked for; its answers are below.",
        "A publicação ainda não está aqui. Está a ser pedida; as respostas estão abaixo.";
    dropped: "Its words are not on this node.", "As suas palavras não estão neste nó.";
    unreadable: "Its author signed bytes that are no text.", "O autor assinou bytes que não são texto.";
    hidden_here: "Hidden here: %s.", "Escondida aqui: %s.";
    show_anyway: "Show it", "Mostrar";
    permalink: "link", "ligação";
    parent: "parent", "anterior";
    whole_thread: "whole thread", "conversa inteira";
    one_branch: "This is one branch of a thread.", "Isto é um ramo de uma conversa.";
    continue_thread: "Continue this branch", "Continuar este ramo";
    reply: "reply", "responder";
    reply_to: "Answer to", "Resposta a";
    edit: "edit", "editar";
    retract: "take back", "retirar";
    retract_question: "Take this back for good? Its words leave this node, and other nodes are asked to do the same. Who has read or copied it still has it.",
        "Retirar isto para sempre? As palavras saem deste nó, e pede-se o mesmo aos outros nós. Quem já leu ou copiou continua a ter.";
    why: "why", "porquê";
    vote_up: "Vote up", "Votar a favor";
    vote_down: "Vote down", "Votar contra";
    collapse_hint: "fold or unfold", "dobrar ou desdobrar";
    level: "Level %n, by", "Nível %n, de";
    link_label: "Link:", "Ligação:";
    tags: "Tags", "Etiquetas";
    state_queued: "waiting: no other node has it yet", "à espera: nenhum outro nó a tem ainda";
    state_sent: "sent, not confirmed yet", "enviada, ainda sem confirmação";
    held_one: "held by %n other node", "guardada por %n outro nó";
    held_many: "held by %n other nodes", "guardada por %n outros nós";
    complete_none_asked: "No other node was asked what may be missing.",
        "Nenhum outro nó foi consultado sobre o que possa faltar.";
    complete_equal: "%s of %n nodes asked had the same set of this board.",
        "%s de %n nós consultados tinham o mesmo conjunto deste fórum.";
    complete_missing_one: "%n event is known to be missing.", "Sabe-se que falta %n evento.";
    complete_missing_many: "%n events are known to be missing.", "Sabe-se que faltam %n eventos.";
    complete_missing_none: "Nothing is known to be missing.", "Não se sabe de nada em falta.";
    declined_one: "%n event was declined by this node.", "%n evento foi recusado por este nó.";
    declined_many: "%n events were declined by this node.", "%n eventos foram recusados por este nó.";
    title: "Title", "Título";
    text: "Text", "Texto";
    text_hint: "CommonMark. Nothing is loaded from elsewhere: pictures become links.",
        "CommonMark. Nada é carregado de fora: as imagens passam a ligações.";
    link: "Link (optional)", "Ligação (opcional)";
    tags_hint: "Tags, separated by spaces (optional, up to eight)", "Etiquetas, separadas por espaços (opcional, até oito)";
    board: "Board", "Fórum";
    preview: "Preview", "Pré-visualizar";
    publish: "Publish", "Publicar";
    save_draft: "Save draft", "Guardar rascunho";
    draft_saved: "The draft is kept on this node.", "O rascunho fica guardado neste nó.";
    draft_found: "This is the draft that you kept.", "Este é o rascunho que guardou.";
    draft_discard: "Discard the draft", "Descartar o rascunho";
    cancel: "Cancel", "Cancelar";
    save: "Save", "Guardar";
    editing: "Edit", "Editar";
    published_note: "What you publish is signed with your key and goes to other nodes. It can be taken back, not unsaid.",
        "O que publica é assinado com a sua chave e vai para outros nós. Pode ser retirado, mas não desdito.";
    follow: "Follow", "Seguir";
    unfollow: "Leave", "Deixar";
    followed: "followed", "a seguir";
    open_board: "Open a board by its name", "Abrir um fórum pelo nome";
    open_board_hint: "The same name is the same board on every node. It has no founder.",
        "O mesmo nome é o mesmo fórum em todos os nós. Não tem fundador.";
    open: "Open", "Abrir";
    found_board: "Found a board", "Fundar um fórum";
    found_board_hint: "A board with a charter of its own: a title, rules, and you as its first steward.",
        "Um fórum com carta própria: um título, regras, e você como primeiro responsável.";
    found: "Found", "Fundar";
    follow_by_id: "Follow a board by its id", "Seguir um fórum pelo id";
    join: "Join with an invite", "Entrar com um convite";
    join_hint: "The text that begins with roda:", "O texto que começa por roda:";
    join_do: "Join", "Entrar";
    name: "Name", "Nome";
    description: "Description", "Descrição";
    rules: "Rules", "Regras";
    rules_hint: "One on each line", "Uma por linha";
    language: "Language", "Língua";
    kind_open: "open", "aberto";
    kind_charter: "charter", "com carta";
    kind: "Kind", "Tipo";
    threads: "Threads", "Conversas";
    events: "Events", "Eventos";
    board_log: "Log", "Registo";
    no_charter: "The charter of this board has not arrived yet.", "A carta deste fórum ainda não chegou.";
    board_id: "Id", "Id";
    author: "Author", "Autor";
    author_of: "author", "autor";
    author_key_note: "Anybody can take any name. The key is what tells authors apart.",
        "Qualquer pessoa pode usar qualquer nome. É a chave que distingue os autores.";
    mixed_name: "This name mixes alphabets or looks like another one. Look at the key.",
        "Este nome mistura alfabetos ou parece-se com outro. Olhe para a chave.";
    profile_name: "Your name", "O seu nome";
    profile_name_hint: "Up to 32 characters. Others see it beside your key.",
        "Até 32 caracteres. Os outros veem-no ao lado da sua chave.";
    theme: "Colours", "Cores";
    theme_auto: "as the system", "como o sistema";
    theme_light: "light", "claras";
    theme_dark: "dark", "escuras";
    language_auto: "as the browser", "como o navegador";
    keys: "Keys", "Teclas";
    keys_on: "Use the keys below", "Usar as teclas abaixo";
    settings_saved: "Saved.", "Guardado.";
    key_next: "next comment or entry", "comentário ou entrada seguinte";
    key_previous: "the one before", "a anterior";
    key_sibling_next: "next at the same level", "seguinte no mesmo nível";
    key_sibling_previous: "the one before at the same level", "anterior no mesmo nível";
    key_top: "top of the thread", "início da conversa";
    key_fold: "fold or unfold", "dobrar ou desdobrar";
    key_reply: "reply", "responder";
    key_edit: "edit", "editar";
    key_votes: "vote up, vote down", "votar a favor, votar contra";
    key_open: "open the entry", "abrir a entrada";
    key_author: "the author", "o autor";
    key_unread: "next new comment, or next page with something new", "próximo comentário novo, ou página com novidades";
    key_search: "search", "procurar";
    key_help: "this list", "esta lista";
    peers: "Peers", "Pares";
    no_peers: "No peers are connected: what you write stays here until some are.",
        "Nenhum par ligado: o que escreve fica aqui até haver algum.";
    address: "Address", "Endereço";
    direction: "Direction", "Sentido";
    outbound: "outbound", "saída";
    inbound: "inbound", "entrada";
    since: "Since", "Desde";
    latency: "Round trip", "Ida e volta";
    shared_boards: "Shared boards", "Fóruns em comum";
    outbox: "Own writing on its way", "O que escreveu, a caminho";
    outbox_empty: "Nothing waits.", "Nada à espera.";
    disk: "Disk", "Disco";
    uptime: "Running for", "A funcionar há";
    reachability: "Reachable", "Acessível";
    reach_machine: "from this machine; the whole network is here", "a partir desta máquina; toda a rede está aqui";
    reach_hidden: "through a proxy alone: nobody can dial this node", "apenas por um proxy: ninguém pode ligar a este nó";
    reach_public: "by everybody, directly", "por todos, diretamente";
    reach_relayed: "through other nodes that pass on", "através de outros nós que retransmitem";
    reach_none: "not from outside; connections that this node makes work", "não a partir de fora; as ligações que este nó faz funcionam";
    reach_unknown: "not known yet", "ainda não se sabe";
    sync_state: "Boards compared with peers", "Fóruns comparados com os pares";
    sync_held: "Events held", "Eventos guardados";
    sync_missing: "Known to be missing", "Que se sabe faltar";
    sync_equal: "Peers with the same", "Pares com o mesmo";
    sync_checked: "Compared", "Comparado";
    network: "Network", "Rede";
    version: "Version", "Versão";
    findings: "What was looked at", "O que foi verificado";
    finding_ok: "fine", "bem";
    finding_note: "note", "nota";
    finding_problem: "problem", "problema";
    sync_now: "Compare with peers now", "Comparar agora com os pares";
    connect_to: "Connect to an address", "Ligar a um endereço";
    connect_do: "Connect", "Ligar";
    invite: "Invite", "Convite";
    invite_make: "Make an invite", "Fazer um convite";
    invite_use: "Whoever has this text can join: `roda join TEXT`, or the page Boards.",
        "Quem tiver este texto pode entrar: `roda join TEXTO`, ou a página Fóruns.";
    expires: "Void from", "Sem efeito a partir de";
    error: "That did not work", "Não funcionou";
    what_next: "What to do next:", "O que fazer a seguir:";
    back: "Back", "Voltar";
    not_found: "There is no such page", "Essa página não existe";
    new_replies_one: "%n new reply", "%n resposta nova";
    new_replies_many: "%n new replies", "%n respostas novas";
    show_new: "Show", "Mostrar";
    inbox_empty: "No answers and no mentions yet.", "Ainda sem respostas nem menções.";
    inbox_clear: "Mark all as read", "Marcar tudo como lido";
    inbox_answer: "answered you", "respondeu-lhe";
    inbox_mention: "mentioned you", "mencionou-o";
    inbox_watched: "in a thread that you watch", "numa conversa que acompanha";
    catch_up: "Mark everything as read", "Marcar tudo como lido";
    next_unread: "Next unread", "Próxima por ler";
    inbox_hidden: "Your rules hide some of what came.", "As suas regras escondem parte do que chegou.";
    hidden_author: "you muted its author", "silenciou o autor";
    hidden_thread: "you muted this thread", "silenciou esta conversa";
    hidden_text: "you muted these words", "silenciou estas palavras";
    hidden_points: "your rules give it too few points", "as suas regras dão-lhe poucos pontos";
    own_rules: "Own rules", "Regras próprias";
    own_rules_hint: "What you follow, watch and mute, and what gets points. Only this node knows.",
        "O que segue, acompanha e silencia, e o que recebe pontos. Só este nó sabe.";
    rule_none: "No rules yet.", "Ainda não há regras.";
    rule_what: "About", "Sobre";
    rule_what_hint: "An author (@...), a thread's id, word:TEXT, or older:30d", "Um autor (@...), o id de uma conversa, word:TEXTO, ou older:30d";
    rule_effect: "Effect", "Efeito";
    thread_watched: "You watch this thread: its answers come to your inbox.", "Segue esta conversa: as respostas chegam à sua caixa de entrada.";
    thread_muted: "You muted this thread.", "Silenciou esta conversa.";
    key_page_next: "next page of a list", "página seguinte de uma lista";
    key_page_previous: "the page before; in a thread: the parent", "página anterior; numa conversa: o comentário acima";
    rule_watch: "watch", "acompanhar";
    rule_follow: "follow", "seguir";
    rule_mute: "mute", "silenciar";
    rule_points: "points", "pontos";
    rule_number: "Points (below zero: further down)", "Pontos (abaixo de zero: mais para baixo)";
    rule_remove: "Remove", "Remover";
    why_title: "Why it is shown as it is", "Porque aparece como aparece";
    why_here: "written on this node", "escrito neste nó";
    why_not_recorded: "not recorded", "não registado";
    why_written: "Written, as its author says", "Escrito, segundo o autor";
    why_received: "Stored here", "Guardado aqui";
    why_brought: "First brought by", "Trazido primeiro por";
    why_signature: "Signature", "Assinatura";
    why_valid: "holds, checked just now", "válida, verificada agora";
    why_invalid: "does not hold", "inválida";
    why_signer: "Signed by", "Assinado por";
    why_bytes: "Bytes", "Bytes";
    why_stored: "Stored", "Guardado";
    why_waits: "Waits for", "À espera de";
    why_points: "Points by your rules", "Pontos pelas suas regras";
    why_ranks: "Places of its thread in the orders of the board", "Lugares da conversa nas ordens do fórum";
    place_of: "place %n of %s", "lugar %n de %s";
    power_title: "How concentrated this world is", "Quão concentrado é este mundo";
    power_all: "All boards", "Todos os fóruns";
    power_since: "Counted from", "Contado desde";
    power_posts: "Posts by author", "Publicações por autor";
    power_comments: "Comments by author", "Comentários por autor";
    power_votes: "Votes by author", "Votos por autor";
    power_deliveries: "First deliveries by peer", "Primeiras entregas por par";
    power_what: "What", "O quê";
    power_total: "Total", "Total";
    power_holders: "Holders", "Detentores";
    power_top1: "Largest", "Maior";
    power_top10: "Ten largest", "Dez maiores";
    power_effective: "Effective number", "Número efetivo";
    power_nakamoto: "Fewest with over half", "Menor número com mais de metade";
    power_networks: "Peers by network", "Pares por rede";
    power_peers: "Peers", "Pares";
    power_received: "Bytes received, by peer", "Bytes recebidos, por par";
    power_sent: "Bytes served, by peer", "Bytes servidos, por par";
    power_authors: "Posts and comments, by author", "Publicações e comentários, por autor";
    power_who: "Who", "Quem";
    power_share: "Share", "Parte";
    power_losses: "If a peer were gone", "Se um par desaparecesse";
    power_peer: "Peer", "Par";
    power_copies: "Only copy among connected peers", "Única cópia entre os pares ligados";
    power_only_network: "Only peer of its network", "Único par da sua rede";
    power_days: "Days", "Dias";
    power_show: "Show", "Mostrar";
    power_started: "traffic since", "tráfego desde";
    power_evidence: "From what this node has seen itself, and nothing else. Many keys can belong to one person: the real concentration may be higher, never lower.", "Apenas do que este nó viu. Muitas chaves podem ser de uma só pessoa: a concentração real pode ser maior, nunca menor.";
    history: "History", "Histórico";
    first_version: "As it was first written", "Como foi escrito primeiro";
    sorts_help: "Orders", "Ordens";
    help_intro: "Roda has no server. This page is served by your own node, to you alone. What you see is what your node holds; what you write is signed with your key and spreads from node to node.",
        "A Roda não tem servidor. Esta página é servida pelo seu próprio nó, só para si. Vê o que o seu nó guarda; o que escreve é assinado com a sua chave e espalha-se de nó em nó.";
    atom_feed: "Atom feed", "Feed Atom";
    feed_comment: "Answer in: %s", "Resposta em: %s";
    feed_addresses: "Addresses of feeds", "Endereços dos feeds";
    feed_addresses_hint: "Boards, threads, authors and the inbox have a feed for feed readers on this machine. Its address carries a secret: whoever has it can read all feeds of this node, and do nothing else.",
        "Fóruns, conversas, autores e a caixa de entrada têm um feed para leitores de feeds nesta máquina. O endereço leva um segredo: quem o tiver pode ler todos os feeds deste nó, e mais nada.";
    feed_addresses_renew: "Make all addresses anew: those given away stop working",
        "Fazer todos os endereços de novo: os que foram dados deixam de funcionar";
    author_wrote: "Posts and comments that are here, the last that came first",
        "Publicações e comentários que estão aqui, os últimos a chegar primeiro";
    author_post: "post", "publicação";
    author_comment: "comment", "comentário";
    author_older: "Nothing among the newest events of this node.", "Nada entre os eventos mais recentes deste nó.";
    directory: "Find boards", "Procurar fóruns";
    directory_intro: "Boards that connected peers list for whoever asks. None is chosen for you.",
        "Fóruns que os pares ligados dão a conhecer a quem pergunta. Nenhum é escolhido por si.";
    directory_words: "Words in name, title, description or language", "Palavras no nome, título, descrição ou língua";
    directory_empty: "No connected peer lists such a board, as far as they have answered. Load the page again in a moment: they are being asked.",
        "Nenhum par ligado dá a conhecer um fórum assim, pelo que já responderam. Carregue a página de novo daqui a pouco: estão a ser consultados.";
    directory_says: "Name, title and description are the founder's words, and others may use the same: the id tells boards apart. The figures are what peers say of themselves, the middle of what they say.",
        "Nome, título e descrição são palavras de quem fundou, e outros podem usar as mesmas: é o id que distingue os fóruns. Os números são o que os pares dizem de si, o valor do meio.";
    directory_order: "Order, each of these where the ones before are equal:", "Ordem, cada um destes onde os anteriores são iguais:";
    find: "Find", "Procurar";
    mixed_board: "This name mixes alphabets or looks like another one. Look at the id.",
        "Este nome mistura alfabetos ou parece-se com outro. Olhe para o id.";
    known_by_one: "listed by %n peer", "dado a conhecer por %n par";
    known_by_many: "listed by %n peers", "dado a conhecer por %n pares";
    known_in_networks: "in %n networks", "em %n redes";
    last_active_day: "last active on", "ativo pela última vez a";
    listing_on: "Let others find it", "Deixar que outros o encontrem";
    listing_off: "Stop letting others find it", "Deixar de o dar a conhecer";
    listing_hint: "This node then tells peers that ask of this board, and that it has it. Who was told can follow it.",
        "Este nó passa a dar a conhecer este fórum aos pares que perguntam, e que o tem. Quem souber dele pode segui-lo.";
    listing_is_on: "This node tells peers that ask of this board.", "Este nó dá a conhecer este fórum aos pares que perguntam.";
    stewards: "Stewards", "Responsáveis";
    work_bits: "Bits of work that an event needs", "Bits de trabalho que um evento precisa";
}

/// A sentence with its number and its words. The number comes first: words are strangers', and may look like a place to fill.
pub(crate) fn filled(text: &str, number: impl Display, words: &str) -> String {
    text.replace("%n", &number.to_string()).replace("%s", words)
}

impl Texts {
    /// The sentences that explain things, in the same language.
    pub(crate) fn explanations(&self) -> &'static Explanations {
        if self.lang == PT.lang { &explanations::PT } else { &explanations::EN }
    }

    /// An order's name, and what it does; the name alone for one that is not known here.
    pub(crate) fn sort<'a>(&self, word: &'a str) -> (&'a str, &'static str) {
        match word {
            "new" => (self.sort_new, self.sort_new_why),
            "active" => (self.sort_active, self.sort_active_why),
            "hot" => (self.sort_hot, self.sort_hot_why),
            "balanced" => (self.sort_balanced, self.sort_balanced_why),
            "top" => (self.sort_top, self.sort_top_why),
            other => (other, ""),
        }
    }

    /// A sentence with a number in it.
    pub(crate) fn n(&self, number: impl Into<i64>, one: &str, many: &str) -> String {
        let number = number.into();
        let text = if number == 1 { one } else { many };
        text.replace("%n", &number.to_string())
    }

    /// `3 comments`.
    pub(crate) fn comments(&self, number: &u64) -> String {
        self.n(clamped(*number), self.comment_one, self.comment_many)
    }

    /// `2 new`.
    pub(crate) fn news(&self, number: &u64) -> String {
        self.n(clamped(*number), self.new_one, self.new_many)
    }

    /// `2 points`.
    pub(crate) fn points(&self, number: &i64) -> String {
        self.n(*number, self.point_one, self.point_many)
    }

    /// `2 found`.
    pub(crate) fn found(&self, number: &u64) -> String {
        self.n(clamped(*number), self.found_one, self.found_many)
    }

    /// `2 replies`.
    pub(crate) fn replies(&self, number: &usize) -> String {
        self.n(clamped(*number as u64), self.reply_one, self.reply_many)
    }

    /// Who lists a board.
    pub(crate) fn known_by(&self, peers: u32, networks: u32) -> String {
        let known_by = self.n(peers, self.known_by_one, self.known_by_many);
        match networks {
            0 | 1 => known_by,
            networks => format!("{known_by}, {}", self.known_in_networks.replace("%n", &networks.to_string())),
        }
    }

    /// How far an own event is.
    pub(crate) fn delivery(&self, state: &str, held_by: u32) -> String {
        match state {
            "held" => self.n(held_by, self.held_one, self.held_many),
            "sent" => self.state_sent.to_owned(),
            _ => self.state_queued.to_owned(),
        }
    }

    /// How long ago a time was, in one unit.
    pub(crate) fn ago(&self, created_ms: u64, now_ms: u64) -> String {
        const MINUTE: u64 = 60_000;
        // Clocks differ by minutes; nobody wants to read that a comment comes from the future for that.
        if created_ms > now_ms + 10 * MINUTE {
            return self.in_future.to_owned();
        }
        let minutes = now_ms.saturating_sub(created_ms) / MINUTE;
        let (number, text) = match minutes {
            0 => return self.just_now.to_owned(),
            1..60 => (minutes, self.minutes_ago),
            60..1440 => (minutes / 60, self.hours_ago),
            _ => (minutes / 1440, self.days_ago),
        };
        text.replace("%n", &number.to_string())
    }
}

fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_every_text_with_the_same_places_to_fill() {
        for (name, en, pt) in PAIRS.iter().chain(explanations::PAIRS) {
            assert!(!en.is_empty() && !pt.is_empty(), "{name}");
            for place in ["%n", "%s"] {
                assert_eq!(en.matches(place).count(), pt.matches(place).count(), "{name}: {place}");
            }
        }
    }

    #[test]
    fn a_browser_gets_the_language_that_it_likes_best_of_ours() {
        assert_eq!(Language::accepted("pt-BR,pt;q=0.9,en;q=0.8"), Language::Pt);
        assert_eq!(Language::accepted("fr, en;q=0.5, pt;q=0.7"), Language::Pt);
        assert_eq!(Language::accepted("en-GB,pt"), Language::En);
        assert_eq!(Language::accepted("pt;q=0"), Language::En);
        assert_eq!(Language::accepted("de"), Language::En);
        assert_eq!(Language::accepted(";q=x,,"), Language::En);
    }

    #[test]
    fn times_and_counts_are_said_in_words() {
        let now = 10 * 86_400_000;
        assert_eq!(EN.ago(now, now), "just now");
        assert_eq!(EN.ago(now - 5 * 60_000, now), "5 min ago");
        assert_eq!(PT.ago(now - 3 * 3_600_000, now), "há 3 h");
        assert_eq!(EN.ago(0, now), "10 d ago");
        assert_eq!(EN.ago(now + 11 * 60_000, now), "dated ahead");
        assert_eq!(EN.comments(&1), "1 comment");
        assert_eq!(PT.comments(&2), "2 comentários");
        assert_eq!(EN.points(&-1), "-1 points");
    }
}
