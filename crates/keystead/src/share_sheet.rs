//! One share of a backup for a terminal, a page of A4 and a plate of metal: numbered words, of which four letters suffice, and
//! a code for cameras. The page loads nothing, so that no browser tells anybody of it.

use keystead_base::{Name, Secret};
use keystead_keys::{SeedShares, Slip39Share};
use qrcode::{Color, EcLevel, QrCode};
use serde_json::{Value, json};

use crate::failure::Failure;

/// A share, and what its owner has to know of it.
pub(crate) struct Share {
    file: SeedShares,
    owner: Name,
    share: Slip39Share,
    words: Secret<String>,
}

impl Share {
    /// Reads what the scratch enclave said.
    pub(crate) fn new(file: SeedShares, owner: Name, words: Secret<String>) -> Result<Self, Failure> {
        let share = Slip39Share::from_words(words.expose())?;
        Ok(Self { file, owner, share, words })
    }

    pub(crate) fn words(&self) -> &str {
        self.words.expose()
    }

    /// Which share it is.
    pub(crate) fn title(&self) -> String {
        format!("share {} of group {}", self.share.member() + 1, self.share.group() + 1)
    }

    pub(crate) fn json(&self) -> Value {
        let subject = &self.file.subject;
        json!({
            "key": subject.key, "cluster": subject.cluster, "epoch": subject.epoch, "owner": self.owner,
            "identifier": self.share.identifier(), "group": self.share.group() + 1, "share": self.share.member() + 1,
            "takes": self.rule(),
        })
    }

    pub(crate) fn words_file(&self) -> Result<String, Failure> {
        Ok(format!("{}\n", self.words()))
    }

    pub(crate) fn terminal(&self) -> Result<String, Failure> {
        let mut text = format!(
            "SECRET: {} of key `{}`, for {}\n{}\n\n",
            self.title(),
            self.file.subject.key,
            self.owner,
            self.rule()
        );
        let words: Vec<_> = self.numbered().collect();
        for row in 0..ROWS {
            for (number, word) in words.iter().skip(row).step_by(ROWS) {
                text.push_str(&format!("{number:>4}  {word:<10}"));
            }
            text.push('\n');
        }
        Ok(format!("{text}\n{}", half_blocks(&self.code()?)))
    }

    /// Who restores the key together.
    fn rule(&self) -> String {
        let group = |it: &keystead_keys::ShareGroup| {
            let names: Vec<_> = it.shares.iter().map(|it| it.recipient.as_str()).collect();
            format!("{} of {}", it.threshold, names.join(", "))
        };
        let groups: Vec<_> = self.file.groups.iter().map(group).collect();
        match groups.as_slice() {
            [only] => format!("restored by {only}"),
            _ => format!("restored by {} of these groups: {}", self.file.group_threshold, groups.join("; ")),
        }
    }

    fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.words().split(' '))
    }

    /// Capitals take fewer modules; readers of shares do not care.
    fn code(&self) -> Result<QrCode, Failure> {
        let text = Secret::new(self.words().to_uppercase());
        QrCode::with_error_correction_level(text.expose(), EcLevel::M).map_err(|_| {
            Failure::new(
                "backup.code",
                "the words do not fit a QR code",
                "use the words: nothing else is lost",
            )
        })
    }

    /// A page of A4.
    pub(crate) fn sheet(&self) -> Result<String, Failure> {
        let subject = &self.file.subject;
        let words: String = self
            .numbered()
            .map(|(number, word)| {
                let (short, rest) = word.split_at(word.len().min(PREFIX));
                format!("<li><i>{number}</i><b>{short}</b>{rest}</li>")
            })
            .collect();
        let cluster = subject.cluster.to_string();
        let facts: String = [
            ("Key", subject.key.to_string()),
            ("Holder", self.owner.to_string()),
            ("Share", format!("{} of group {}", self.share.member() + 1, self.share.group() + 1)),
            ("Set", self.share.identifier().to_string()),
            ("Epoch", subject.epoch.to_string()),
            ("Cluster", cluster.chars().take(16).collect()),
        ]
        .iter()
        .map(|(what, value)| format!("<div><dt>{what}</dt><dd>{value}</dd></div>"))
        .collect();
        Ok(SHEET
            .replace("{key}", subject.key.as_str())
            .replace("{facts}", &facts)
            .replace("{rule}", &self.rule())
            .replace("{words}", &words)
            .replace("{code}", &modules(&self.code()?)))
    }

    /// Four letters of each word, which no two words share, as they are punched or etched.
    pub(crate) fn plate(&self) -> Result<String, Failure> {
        let cell = |(number, word): (usize, &str)| {
            let (column, row) = ((number - 1) / ROWS, (number - 1) % ROWS);
            let (x, y) = (8 + column * 40, 22 + row * 7);
            let short: String = word.chars().take(PREFIX).collect();
            format!(
                "<text x=\"{x}\" y=\"{y}\" class=\"n\">{number}</text><text x=\"{}\" y=\"{y}\">{}</text>",
                x + 9,
                short.to_uppercase()
            )
        };
        let words: String = self.numbered().map(cell).collect();
        let title = format!("{} {}", self.file.subject.key, self.title()).to_uppercase();
        let set = self.share.identifier();
        Ok(PLATE.replace("{title}", &title).replace("{set}", &set.to_string()).replace("{words}", &words))
    }
}

/// As SVG: one square for each dark module, and the quiet zone of four.
fn modules(code: &QrCode) -> String {
    let width = code.width();
    let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == Color::Dark);
    let path: String =
        dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET)).collect();
    let size = width + 2 * QUIET;
    format!("<svg viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\"><path d=\"{path}\"/></svg>")
}

/// Two modules in one character; light on dark terminals as cameras want it, so light is what is drawn.
fn half_blocks(code: &QrCode) -> String {
    let (width, colors) = (code.width(), code.to_colors());
    let light = |x: usize, y: usize| {
        let inside = x.checked_sub(QUIET).zip(y.checked_sub(QUIET)).filter(|(x, y)| *x < width && *y < width);
        inside.and_then(|(x, y)| colors.get(y * width + x)).is_none_or(|it| *it == Color::Light)
    };
    let size = width + 2 * QUIET;
    let mut text = String::new();
    for y in (0..size).step_by(2) {
        for x in 0..size {
            text.push(match (light(x, y), light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push('\n');
    }
    text
}

const PREFIX: usize = 4;
const ROWS: usize = 11;
const QUIET: usize = 4;
const SHEET: &str = include_str!("share_sheet/sheet.html");
const PLATE: &str = include_str!("share_sheet/plate.svg");

#[cfg(test)]
mod tests {
    use keystead_base::{ClusterId, Digest};
    use keystead_keys::{BackupSubject, HdSeed, Purpose, RecipientKey, ShareCircle};

    use super::*;

    pub(crate) fn share() -> Share {
        let seed = HdSeed::from_entropy(Secret::new([5; 32]));
        let subject = BackupSubject {
            cluster: ClusterId(Digest([1; 32])),
            key: "treasury".parse().unwrap(),
            purpose: Purpose::HdSeed,
            epoch: 0,
            account: seed.root().unwrap().ethereum().unwrap().public(),
        };
        let key = |byte: u8| RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap();
        let people = [("ana", 1), ("ben", 2), ("cleo", 3)];
        let members = people.map(|(who, byte)| (who.parse().unwrap(), key(byte).public())).into();
        let circles = [ShareCircle { threshold: 2, members }];
        let file = SeedShares::write(subject, &seed, 1, &circles, &mut |bytes| bytes.fill(9)).unwrap();
        let ben: Name = "ben".parse().unwrap();
        let words = file.open(&ben, &key(2)).unwrap().words();
        Share::new(file, ben, words).unwrap()
    }

    #[test]
    fn every_form_has_every_word() {
        let share = share();
        let (sheet, plate, terminal) =
            (share.sheet().unwrap(), share.plate().unwrap(), share.terminal().unwrap());
        for (number, word) in share.numbered() {
            let (short, rest) = word.split_at(4);
            assert!(sheet.contains(&format!("<i>{number}</i><b>{short}</b>{rest}<")), "{number}");
            assert!(plate.contains(&format!(">{}<", short.to_uppercase())), "{number}");
            assert!(terminal.contains(&format!("{number:>4}  {word} ")), "{number}");
        }
        for text in [&sheet, &plate] {
            assert!(!text.contains('{'.to_string().as_str()) || text.contains("<style>"));
            assert!(!text.contains("http://") || text.contains("http://www.w3.org/2000/svg"));
            assert!(!text.contains("src=") && !text.contains("url("), "it loads nothing");
        }
        assert_eq!(share.rule(), "restored by 2 of ana, ben, cleo");
        assert_eq!(share.title(), "share 2 of group 1");
    }
}
