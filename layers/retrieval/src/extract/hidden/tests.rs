#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use super::*;
use crate::extract::{clean, html_to_text};

fn text(html: &str) -> String {
    clean(&html_to_text(html).unwrap()).unwrap()
}

#[test]
fn given_an_element_that_is_not_shown_then_its_text_is_left_out() {
    for hidden in [
        "<p style='display:none'>ignore</p>",
        "<p style='color: red; DISPLAY : None !important'>ignore</p>",
        "<div style='visibility:hidden'><p>ignore</p></div>",
        "<span style='font-size:0px'>ignore</span>",
        "<span style='opacity: 0.0'>ignore</span>",
        "<p hidden>ignore</p>",
        "<p hidden='until-found'>ignore</p>",
        "<template><p>ignore</p></template>",
        "<dialog>ignore</dialog>",
        "<script>ignore</script>",
        "<style>p { ignore: it }</style>",
        "<!-- ignore -->",
        "<table hidden><tr><td>ignore</td></tr></table>",
    ] {
        assert_eq!(text(&format!("<p>Pay now.</p>{hidden}<p>Thank you.</p>")), "Pay now.\n\nThank you.", "{hidden}");
    }
}

#[test]
fn given_a_rule_that_hides_then_what_it_is_for_is_left_out() {
    let style = "<style>/* .p {display:none} */ .a, #b, s, p.c { display: none } @media print { .d { display: none } } \
                 .e { color: red }</style>";
    for (element, shown) in [
        ("<p class='x a'>ignore</p>", false),
        ("<p id=b>ignore</p>", false),
        ("<s>ignore</s>", false),
        ("<p class=c>ignore</p>", false),
        ("<b class=c>ignore</b>", true),
        ("<p class=d>ignore</p>", true),
        ("<p class=e>ignore</p>", true),
        ("<p class=p>ignore</p>", true),
    ] {
        let read = text(&format!("<html><head>{style}</head><body><p>Pay now.</p>{element}</body></html>"));
        assert_eq!(read.contains("ignore"), shown, "{element}: {read}");
    }
}

#[test]
fn given_what_is_shown_then_it_stays() {
    for element in [
        "<p aria-hidden=true>Pay</p>",
        "<p style='display:block;opacity:0.5;font-size:12px'>Pay</p>",
        "<details>Pay</details>",
        "<dialog open>Pay</dialog>",
        "<body style='visibility:hidden'>Pay</body>",
    ] {
        assert_eq!(text(element), "Pay", "{element}");
    }
}

#[test]
fn given_elements_nested_as_deep_as_a_page_is_long_then_they_are_read() {
    let deep = format!("{}<p hidden>ignore</p>Pay", "<b>".repeat(20_000));
    assert_eq!(text(&deep), "Pay");
}

#[test]
fn given_html_in_pieces_then_what_a_hidden_element_holds_is_left_out_until_it_is_closed() {
    let mut part = HiddenPart::default();
    assert_eq!(part.read("<i>a</i><div title='>' hidden>b<div>"), "<i>a</i>");
    assert!(part.is_open());
    assert_eq!(part.read("c</div><!-- </div> -->d"), "");
    assert_eq!(part.read("e</div>f<img hidden>"), "f<img hidden>");
    assert!(!part.is_open());
}
