//! Changed inputs: the same ones in every run.

/// The longest input that is made.
const LONGEST: usize = 16 << 10;

/// Pieces that mean something to one parser or another.
const WORDS: [&str; 64] = [
    "<",
    ">",
    "/>",
    "</",
    "&",
    "&lt;",
    "&#0;",
    "&#x1F600;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml ",
    "\"",
    "'",
    "=",
    "<testsuite>",
    "</testsuite>",
    "<testcase name='a'>",
    "</testcase>",
    "<failure/>",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\\u0000",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "0",
    "\n",
    "\r\n",
    "\t",
    "  ",
    "- ",
    ": ",
    "&a ",
    "*a",
    "<<: ",
    "!reference ",
    "|\n",
    "#",
    "---\n",
    "<< ",
    " >>",
    "$",
    "${",
    "$$",
    "(",
    ")",
    "/",
    "=~ ",
    " && ",
    " || ",
    "..",
    "**",
    "SF:a\n",
    "DA:1,1\n",
    "\u{0}",
    "é😀",
];

/// Makes inputs of seeds.
pub(super) struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

impl Mutator {
    pub(super) fn new(seeds: Vec<Vec<u8>>) -> Self {
        Self {
            seeds,
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// A number below `most` (Marsaglia's xorshift).
    fn roll(&mut self, most: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap() % most.max(1)
    }

    fn place(&mut self, input: &[u8]) -> usize {
        self.roll(input.len() + 1)
    }

    /// A part of the input: mostly short.
    fn part(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let start = self.place(input);
        let most = if self.roll(4) == 0 { input.len() } else { 16 };
        start..input.len().min(start + self.roll(most + 1))
    }

    /// The next input.
    pub(super) fn next_input(&mut self) -> Vec<u8> {
        let seed = self.roll(self.seeds.len());
        let mut input = self.seeds[seed].clone();
        for _ in 0..=self.roll(5) {
            self.change(&mut input);
            input.truncate(LONGEST);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.roll(9) {
            0 => {
                let place = self.place(input);
                let byte = u8::try_from(self.roll(256)).unwrap();
                if let Some(old) = input.get_mut(place) {
                    *old = byte;
                }
            }
            1 => {
                let place = self.place(input);
                if let Some(old) = input.get_mut(place) {
                    *old ^= 1 << self.roll(8);
                }
            }
            2 | 3 => {
                let (place, word) = (self.place(input), WORDS[self.roll(WORDS.len())]);
                input.splice(place..place, word.bytes());
            }
            4 => drop(input.drain(self.part(input))),
            5 => {
                let part = input[self.part(input)].to_vec();
                let place = self.place(input);
                input.splice(place..place, part);
            }
            6 => {
                // Depth and length: the same thing over and over.
                let part = input[self.part(input)].to_vec();
                let (place, times) = (self.place(input), self.roll(2000));
                let times = times.min(LONGEST / part.len().max(1));
                input.splice(place..place, part.repeat(times));
            }
            7 => {
                let other = self.roll(self.seeds.len());
                let other = self.seeds[other].clone();
                let (part, place) = (self.part(&other), self.place(input));
                input.splice(place..place, other[part].to_vec());
            }
            _ => input.truncate(self.place(input)),
        }
    }
}
