//! Keeps the board at the bottom of a terminal while lines scroll above it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::ConsoleOptions;
use super::board::Board;
use super::rows::View;
use super::transcript::Transcript;
use crate::clock::Timestamp;
use crate::event::EventRecord;
use crate::event::terminal::Paint;

/// How often the board is drawn at the most while events come in.
const PACE: Duration = Duration::from_millis(100);
/// More lines than this scroll at once even before the time has come, so that memory stays bounded.
const MOST_LINES: usize = 1000;

/// Gives the columns and rows of the terminal.
type Measure = Box<dyn Fn() -> (u16, u16) + Send>;

/// A board and the terminal it stands on.
pub(super) struct Live {
    board: Board,
    paint: Paint,
    measure: Measure,
    screen: Screen,
    scroll: Vec<String>,
    /// The time of the newest event, and when it came here.
    newest: Option<(Timestamp, Instant)>,
    drawn: Option<Instant>,
}

impl Live {
    pub(super) fn new(options: &ConsoleOptions) -> Self {
        let terminal = console::Term::stderr();
        // On Windows this is also what makes the console understand escape sequences.
        let _ = terminal.features().colors_supported();
        Self {
            paint: Paint {
                color: options.colors(),
            },
            board: Board::new(options.history.clone()),
            measure: Box::new(move || {
                let (rows, columns) = terminal.size();
                (columns, rows)
            }),
            screen: Screen::default(),
            scroll: Vec::new(),
            newest: None,
            drawn: None,
        }
    }

    pub(super) fn measure_with(&mut self, measure: Measure) {
        self.measure = measure;
    }

    /// Takes an event and the lines that scroll for it.
    pub(super) fn apply(&mut self, record: &EventRecord, lines: Vec<String>) {
        self.newest = Some((record.time, Instant::now()));
        self.board.apply(record);
        self.scroll.extend(lines);
    }

    /// Draws if it has been a while.
    pub(super) fn draw_if_due(
        &mut self,
        transcript: &Transcript,
        writer: &mut impl Write,
    ) -> io::Result<()> {
        let fresh = self.drawn.is_some_and(|drawn| drawn.elapsed() < PACE);
        if fresh && self.scroll.len() < MOST_LINES {
            return Ok(());
        }
        self.draw(transcript, writer)
    }

    /// Draws the board as it is now.
    pub(super) fn draw(
        &mut self,
        transcript: &Transcript,
        writer: &mut impl Write,
    ) -> io::Result<()> {
        self.drawn = Some(Instant::now());
        let (columns, rows) = (self.measure)();
        let view = View {
            columns: usize::from(columns),
            rows: usize::from(rows),
            paint: self.paint,
        };
        let now = self.now();
        let board = self
            .board
            .render(view, now, |job| transcript.last_output(job));
        let scroll = std::mem::take(&mut self.scroll);
        self.screen.show(writer, view.columns, &scroll, board)
    }

    /// Takes the board away and leaves the lines that scrolled.
    pub(super) fn finish(&mut self, writer: &mut impl Write) -> io::Result<()> {
        let scroll = std::mem::take(&mut self.scroll);
        let (columns, _) = (self.measure)();
        self.screen
            .show(writer, usize::from(columns), &scroll, Vec::new())
    }

    /// The time of the run: that of its newest event and what has passed since, so that a run under a
    /// clock of its own is shown right too.
    fn now(&self) -> Timestamp {
        self.newest.map_or_else(Timestamp::default, |(time, came)| {
            let since = u64::try_from(came.elapsed().as_millis()).unwrap_or(u64::MAX);
            Timestamp::from_millis(time.as_millis().saturating_add(since))
        })
    }
}

/// What was drawn last, and so what has to be drawn over.
#[derive(Debug, Default)]
struct Screen {
    /// The board as it stands; the cursor is at the end of its last line.
    board: Vec<usize>,
    shown: Vec<String>,
    columns: usize,
}

impl Screen {
    /// Puts `scroll` above the board and `board` in its place, in one write that a terminal with
    /// synchronized updates (DEC private mode 2026) shows at once.
    fn show(
        &mut self,
        writer: &mut impl Write,
        columns: usize,
        scroll: &[String],
        board: Vec<String>,
    ) -> io::Result<()> {
        if scroll.is_empty() && board == self.shown && columns == self.columns {
            return Ok(());
        }
        let mut out = String::from("\u{1b}[?2026h");
        self.go_to_top(columns, &mut out);
        let resized = columns != self.columns;
        if resized || !scroll.is_empty() {
            out.push_str("\u{1b}[J");
        }
        for line in scroll {
            out.push_str(line);
            out.push_str("\r\n");
        }
        for (index, line) in board.iter().enumerate() {
            if index > 0 {
                out.push_str("\r\n");
            }
            // Written over and then cleared to the end of the line: an empty line in between would
            // flicker.
            out.push_str(line);
            out.push_str("\u{1b}[K");
        }
        out.push_str("\u{1b}[J\u{1b}[?2026l");
        writer.write_all(out.as_bytes())?;
        writer.flush()?;
        self.board = board.iter().map(|line| width(line)).collect();
        self.shown = board;
        self.columns = columns;
        Ok(())
    }

    /// Moves the cursor to where the board begins. A terminal that became narrower has broken its
    /// lines in several.
    fn go_to_top(&self, columns: usize, out: &mut String) {
        let rows: usize = self
            .board
            .iter()
            .map(|width| width.div_ceil(columns.max(1)).max(1))
            .sum();
        out.push('\r');
        if rows > 1 {
            out.push_str("\u{1b}[");
            out.push_str(&(rows - 1).to_string());
            out.push('A');
        }
    }
}

/// The columns of a line of the board, colours left out.
fn width(line: &str) -> usize {
    let mut filter = crate::event::Sanitizer::new(false);
    crate::event::terminal::columns(&filter.line(line))
}
