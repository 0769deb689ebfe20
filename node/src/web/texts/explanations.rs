//! Why things are as they are, in sentences: how orders are computed, what was found out about the node, what the shares of
//! power mean, why something did not work. The API tells them in English, the page in the reader's language.

use roda_protocol::view::FeedSort;

catalogue! {
    /// Every sentence that explains something, in one language.
    Explanations;
    formula_new: "the post's time; newest first", "a hora da publicação; a mais recente primeiro";
    formula_active: "the time of the newest comment, or of the post; newest first",
        "a hora do comentário mais recente, ou da publicação; a mais recente primeiro";
    formula_top: "score, highest first; among equals the newer first. Score: authors who voted up less those who voted down",
        "pontuação, a mais alta primeiro; entre iguais, a mais recente primeiro. Pontuação: autores que votaram a favor menos os que votaram contra";
    formula_hot: "the post's time + 4 hours x log2(1 + |score|), subtracted if the score is below 0; greatest first: each doubling of 1 + score counts as four hours",
        "a hora da publicação + 4 horas x log2(1 + |pontuação|), subtraídas se a pontuação for inferior a 0; a maior primeiro: cada duplicação de 1 + pontuação conta como quatro horas";
    formula_balanced: "hot - 6 hours x k(k+1)/2, where k is how many threads of the same author stand higher in hot; greatest first: an author's second thread stands back 6 hours, the third 18, the fourth 36",
        "em alta - 6 horas x k(k+1)/2, em que k é o número de conversas do mesmo autor que estão mais acima na ordem em alta; a maior primeiro: a segunda conversa de um autor recua 6 horas, a terceira 18, a quarta 36";
    formula_directory: "networks (more first), peers that list it (more first), last active day (later first), events (more first), id",
        "redes (mais primeiro), pares que o dão a conhecer (mais primeiro), último dia ativo (o mais tardio primeiro), eventos (mais primeiro), id";

    event_charter: "charter", "carta";
    event_post: "post", "publicação";
    event_comment: "comment", "comentário";
    event_edit: "edit", "edição";
    event_retract: "retraction", "retirada";
    event_vote: "vote", "voto";
    event_profile: "profile", "perfil";
    stored_held: "whole", "inteiro";
    stored_words_missing: "without its words", "sem as suas palavras";
    stored_taken_back: "taken back by its author", "retirado pelo seu autor";
    signer_root: "the author's own key", "a própria chave do autor";
    signer_device: "a device that the author certified", "um dispositivo que o autor certificou";

    power_one_author: "one author wrote %n% of the posts: `roda feed --sort balanced` keeps few authors from filling a page",
        "um só autor escreveu %n% das publicações: `roda feed --sort balanced` não deixa que poucos autores encham uma página";
    power_few_voters: "%n of %s voters cast more than half of the votes: orders that count votes are theirs; `--sort new` and `active` are not",
        "%n de %s votantes deram mais de metade dos votos: as ordens que contam votos são deles; `--sort new` e `active` não são";
    power_no_peer: "no peer is connected: what you see is what is on this disk; `roda doctor` says why",
        "nenhum par está ligado: o que vê é o que está neste disco; `roda doctor` diz porquê";
    power_one_peer: "one peer is connected: it alone decides what reaches you, and sees what you write first; connect to others with `roda connect` or an invite by somebody else",
        "um só par está ligado: só ele decide o que lhe chega, e é o primeiro a ver o que escreve; ligue-se a outros com `roda connect` ou com um convite de outra pessoa";
    power_one_bringer: "one peer brought %n% of the events first; were it gone, others would bring them later, if they hold them",
        "um só par foi o primeiro a trazer %n% dos eventos; se ele desaparecesse, outros trá-los-iam mais tarde, se os guardarem";
    power_one_network: "all connected peers are in one network: whoever runs it can cut you off; invite somebody elsewhere",
        "todos os pares ligados estão numa só rede: quem a gere pode isolá-lo; convide alguém de outro lado";
    power_one_copy: "of %s one connected peer alone has a copy: `roda invite %s` makes more",
        "de %s só um par ligado tem uma cópia: `roda invite %s` traz mais";
    power_one_steward: "%s has one steward; should you disagree, your own rules outrank the steward's here",
        "%s tem um só responsável; se discordar, aqui as suas regras valem mais do que as dele";
    power_nobody: "nobody stands out", "ninguém se destaca";
    power_nearby: "nearby", "perto daqui";
    power_others: "others", "outros";

    files_open: "other users of this machine may use %s (mode %n)", "outros utilizadores desta máquina podem usar %s (modo %n)";
    files_ok: "keys and data are this user's alone", "as chaves e os dados são só deste utilizador";
    disk_short: "only %n MiB are free where %s is", "só há %n MiB livres onde está %s";
    disk_short_fix: "make room there, or move the home to a larger disk", "liberte espaço ali, ou mude a pasta do nó para um disco maior";
    disk_ok: "%n MiB are free", "há %n MiB livres";
    restarts: "the network met a bug %n times and was started anew", "a rede encontrou um erro de programação %n vezes e foi reiniciada";
    restarts_fix: "please report the panic in `roda logs`", "comunique o «panic» que está em `roda logs`";
    bound_reached: "the bound on disk is reached: events by others are declined",
        "o limite de disco foi atingido: os eventos de outros são recusados";
    bound_near: "%n% of the bound on disk are used", "está usado %n% do limite de disco";
    bound_fix: "raise disk_bytes_max in config.toml, or unfollow a board", "aumente disk_bytes_max em config.toml, ou deixe um fórum";
    storage_ok: "log and index work", "o registo e o índice funcionam";
    search_fix: "make room or check the disk: it goes on by itself, and all else works meanwhile",
        "liberte espaço ou verifique o disco: a pesquisa continua sozinha, e entretanto tudo o resto funciona";
    search_ok: "all that is held can be searched", "tudo o que está guardado pode ser pesquisado";
    search_behind: "%n of %s posts and comments can be searched yet", "já se podem pesquisar %n de %s publicações e comentários";
    listening_hidden: "nowhere: a proxy is the only way out", "em lado nenhum: um proxy é a única saída";
    listening_nowhere: "on no address", "em nenhum endereço";
    listening_nowhere_fix: "restart with another --listen", "reinicie com outro --listen";
    listening_ok: "on %n addresses", "em %n endereços";
    reach_machine: "this network is on this machine alone: its nodes reach each other",
        "esta rede está só nesta máquina: os seus nós chegam uns aos outros";
    reach_hidden: "hidden behind a proxy on purpose", "escondido atrás de um proxy, de propósito";
    reach_public: "others reach this node", "outros chegam a este nó";
    reach_relayed: "not directly, as far as is known, but through %n of its peers, who relay",
        "não diretamente, que se saiba, mas através de %n dos seus pares, que retransmitem";
    reach_refuted: "others dialled %n of its addresses in vain; it reaches them",
        "outros tentaram em vão ligar a %n dos seus endereços; ele chega a eles";
    reach_unknown: "nobody from elsewhere has tried to dial this node yet", "ainda ninguém de fora tentou ligar a este nó";
    reach_fix: "forward the port of `roda status` at your router, or set `upnp = true` under [network] in config.toml",
        "encaminhe no seu router a porta que `roda status` mostra, ou ponha `upnp = true` em [network] no config.toml";
    proof_by_peer: "a peer from elsewhere dialled it", "um par de fora ligou-se a ele";
    proof_on_request: "a peer dialled it on request", "um par ligou-se a ele a pedido";
    proof_through_router: "a peer dialled it on request, through a router that may let no one else in",
        "um par ligou-se a ele a pedido, por um router que talvez não deixe entrar mais ninguém";
    proof_forwarded: "the router says that it forwards it", "o router diz que o encaminha";
    peers_connected: "%n connected, %s of them follow a board of yours", "%n ligados, %s dos quais seguem um fórum seu";
    peers_none_known_local: "no peer of network %s is known yet, and none was found on the local network",
        "ainda não se conhece nenhum par da rede %s, e nenhum foi encontrado na rede local";
    peers_none_known: "no peer of network %s is known yet; the local network is not searched",
        "ainda não se conhece nenhum par da rede %s; não se procura na rede local";
    peers_none_connected: "none of the %n known peers is connected", "nenhum dos %n pares conhecidos está ligado";
    clock_untold: "no peer has told the time yet", "ainda nenhum par disse as horas";
    clock_fast: "%n s fast by the middle one of its peers' clocks", "%n s adiantado em relação ao relógio do meio dos seus pares";
    clock_slow: "%n s slow by the middle one of its peers' clocks", "%n s atrasado em relação ao relógio do meio dos seus pares";
    clock_fix: "set the clock: on most systems `sudo timedatectl set-ntp true`",
        "acerte o relógio: na maioria dos sistemas `sudo timedatectl set-ntp true`";
    clock_ok: "as its peers' clocks", "como os relógios dos seus pares";

    error_invalid: "This can't be done as it was asked.", "Isto não pode ser feito tal como foi pedido.";
    error_not_found: "It is not here.", "Não está aqui.";
    error_ambiguous: "Several things could be meant.", "Pode referir-se a várias coisas.";
    error_not_followed: "This node does not follow that board: follow it first.", "Este nó não segue esse fórum: siga-o primeiro.";
    error_other_network: "That belongs to another network.", "Isso pertence a outra rede.";
    error_expired: "That invite is void by now.", "Esse convite já não tem efeito.";
    error_busy: "The node has too much to do now. Try again in a moment.", "O nó tem agora demasiado que fazer. Tente de novo daqui a pouco.";
    error_storage: "The disk did not take it or could not be read.", "O disco não o aceitou ou não pôde ser lido.";
    error_unreachable: "The other side can't be reached.", "Não se consegue chegar ao outro lado.";
    error_too_large: "That is too large.", "Isso é demasiado grande.";
    error_internal: "The node met a bug: please report it.", "O nó encontrou um erro de programação: comunique-o, por favor.";
    error_untitled: "A post needs a title.", "Uma publicação precisa de um título.";
    error_wordless: "An answer needs words.", "Uma resposta precisa de palavras.";
    error_unchanged: "There is nothing to change: give a new title, text or link.",
        "Não há nada que mudar: dê um novo título, texto ou ligação.";
    error_not_yours: "Only its author can change it, and that is not you.", "Só o seu autor o pode mudar, e não é você.";
    error_no_charter: "The charter of this board has not arrived yet, so nothing can be written there.",
        "A carta deste fórum ainda não chegou; por isso nada pode ser escrito nele.";
    error_no_event: "That event is not on this node.", "Esse evento não está neste nó.";
    error_no_id: "That is no id: an id has 64 hex digits; any unique beginning of 4 or more will do.",
        "Isso não é um id: um id tem 64 dígitos hexadecimais; basta qualquer começo único de 4 ou mais.";
    error_no_board: "No board here is called so, or has such an id.", "Nenhum fórum aqui tem esse nome ou esse id.";
    error_no_author: "That is no author's key: an author is `@` and 52 letters and digits.",
        "Isso não é a chave de um autor: um autor é `@` e 52 letras e algarismos.";
    error_taken_back: "Its author has taken it back, with what it said before.", "O seu autor retirou-o, com o que dizia antes.";
    error_no_address: "This node has no address that another node could dial.", "Este nó não tem nenhum endereço a que outro nó se possa ligar.";
}

/// What API and command line speak.
pub(crate) static ENGLISH: &Explanations = &EN;

impl Explanations {
    /// How an order is computed.
    pub(crate) fn formula(&self, sort: FeedSort) -> &'static str {
        match sort {
            FeedSort::New => self.formula_new,
            FeedSort::Active => self.formula_active,
            FeedSort::Top => self.formula_top,
            FeedSort::Hot => self.formula_hot,
            FeedSort::Balanced => self.formula_balanced,
        }
    }

    /// A kind of events. The rare ones have the protocol's word alone.
    pub(crate) fn kind<'a>(&'a self, word: &'a str) -> &'a str {
        match word {
            "charter" => self.event_charter,
            "post" => self.event_post,
            "comment" => self.event_comment,
            "edit" => self.event_edit,
            "retract" => self.event_retract,
            "vote" => self.event_vote,
            "profile" => self.event_profile,
            other => other,
        }
    }

    /// What is stored of an event.
    pub(crate) fn stored<'a>(&'a self, word: &'a str) -> &'a str {
        match word {
            "held" => self.stored_held,
            "words_missing" => self.stored_words_missing,
            "taken_back" => self.stored_taken_back,
            other => other,
        }
    }

    /// Who signed an event.
    pub(crate) fn signer<'a>(&'a self, word: &'a str) -> &'a str {
        match word {
            "root" => self.signer_root,
            "device" => self.signer_device,
            other => other,
        }
    }

    /// What an error of this code comes to; none for codes that no page meets.
    pub(crate) fn error(&self, code: &str) -> Option<&'static str> {
        Some(match code {
            "invalid" => self.error_invalid,
            "not_found" => self.error_not_found,
            "ambiguous" => self.error_ambiguous,
            "not_followed" => self.error_not_followed,
            "other_network" => self.error_other_network,
            "expired" => self.error_expired,
            "busy" => self.error_busy,
            "storage" => self.error_storage,
            "unreachable" => self.error_unreachable,
            "too_large" => self.error_too_large,
            "internal" => self.error_internal,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_says_of_an_order_is_what_the_api_says() {
        for sort in FeedSort::ALL {
            assert_eq!(EN.formula(sort), sort.formula());
            assert_ne!(PT.formula(sort), sort.formula());
        }
    }

    #[test]
    fn words_of_the_protocol_that_have_no_translation_stay_as_they_are() {
        assert_eq!((PT.kind("comment"), PT.kind("vouch")), ("comentário", "vouch"));
        assert_eq!((PT.stored("held"), PT.signer("root")), ("inteiro", "a própria chave do autor"));
        assert!(PT.error("not_found").is_some() && PT.error("no_web_page").is_none());
    }
}
