//! Text that somebody else wrote, made fit to be shown. Escaping is the templates' part.

/// `text` without characters that are invisible or change the direction of others, with single spaces, and cut after
/// `most` characters.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_deceptive(*c))
        .take(4096)
        .collect();
    let words: Vec<_> = visible.split(' ').filter(|w| !w.is_empty()).collect();
    let text = words.join(" ");
    if text.chars().count() <= most {
        return text;
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Characters that are not seen, or make others appear elsewhere: zero width, bidirectional controls, fillers, tags,
/// variation selectors, private use.
const fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{ffff}'
            | '\u{e0000}'..='\u{10ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_turns_around_or_hides_is_made_plain() {
        assert_eq!(shown("Claude\u{202e}moc.live\u{200b}", 80), "Claudemoc.live");
        assert_eq!(shown("a\r\n\tb\u{0}  c", 80), "a b c");
        assert_eq!(shown("\u{3164}\u{2800}", 80), "");
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(shown("éééééé", 4), "ééé…");
        assert_eq!(shown("éééé", 4), "éééé");
    }
}
