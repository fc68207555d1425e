//! The texts that the benchmarks send: `kernel` and `load` share this file.

/// The length of a text, in whole lines. Texts are sent again and again.
const LENGTH: usize = 256 * 1024;

pub(crate) struct Text {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Text {
    /// One line, repeated.
    pub(crate) fn of_line(name: &'static str, line: &str) -> Self {
        let bytes = line.repeat((LENGTH / line.len()).max(1)).into_bytes();
        Self { name, bytes }
    }

    /// The scripts that people write in, and bytes that are not text.
    pub(crate) fn all() -> [Self; 13] {
        [
            Self::ascii(),
            Self::of_line(
                "latin",
                "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë.\n",
            ),
            Self::of_line("greek", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, και πάλι από την αρχή.\n"),
            Self::of_line("cyrillic", "Съешь же ещё этих мягких французских булок, да выпей чаю.\n"),
            Self::of_line(
                "vietnamese",
                "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.\n",
            ),
            Self::of_line(
                "georgian",
                "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.\n",
            ),
            Self::of_line(
                "turkish",
                "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler.\n",
            ),
            Self::of_line(
                "german",
                "Heizölrückstoßabdämpfung: Alle Menschen sind frei und gleich an Würde, die große Straße entlang.\n",
            ),
            Self::of_line(
                "chinese",
                "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。\n",
            ),
            Self::of_line(
                "hindi",
                "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।\n",
            ),
            Self::of_line(
                "arabic",
                "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميراً.\n",
            ),
            Self::of_line(
                "emoji",
                "Well done! 🎉🎉 See you at the party 🥳, bring cake 🎂 and friends 👭.\n",
            ),
            Self { name: "random", bytes: random_bytes(LENGTH) },
        ]
    }

    pub(crate) fn ascii() -> Self {
        Self::of_line("ascii", "The quick brown fox jumps over the lazy dog, again and again and again.\n")
    }
}

/// Bytes without a pattern, the same in every run (xorshift64*), and a line feed at the end.
fn random_bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        Some(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes())
    };
    std::iter::from_fn(next).flatten().take(length - 1).chain([b'\n']).collect()
}
