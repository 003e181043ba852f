//! Draws the board as lines of text for a terminal of some size.

use std::sync::Arc;
use std::time::Duration;

use super::board::{Board, Busy, Why};
use crate::clock::Timestamp;
use crate::event::Sanitizer;
use crate::event::terminal::{Paint, Tone, clock, columns, fit, one_line, shorten};

/// The pictures of the spinner.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// How long one of them stays, in milliseconds.
const FRAME: u64 = 100;
/// Longer names are cut.
const WIDEST_NAME: usize = 28;
/// The columns of a progress bar.
const BAR: usize = 16;
/// The columns that the elapsed time takes, and the estimate.
const TIME: usize = 7;
const REST: usize = 13;
/// How many jobs that wait are shown at the most.
const MOST_IDLE: usize = 5;

/// What the board is drawn for.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) paint: Paint,
}

impl Board {
    /// The board at `now`: no line reaches the last column, and there are fewer lines than rows.
    /// `last_output` gives what a job wrote last.
    pub(super) fn render<'a>(
        &self,
        view: View,
        now: Timestamp,
        last_output: impl Fn(&str) -> Option<&'a Arc<str>>,
    ) -> Vec<String> {
        if !self.open {
            return Vec::new();
        }
        // The overall line, and one row for the cursor of whoever types meanwhile.
        let room = view.rows.saturating_sub(2);
        let idle = self.idle();
        let for_idle = idle.len().min(MOST_IDLE).min(room / 3);
        let for_busy = self.running.len().min(room - for_idle);
        let name = self.widest.min(WIDEST_NAME).min(view.columns / 3);
        let page = Page { view, name, now };

        let mut lines = Vec::new();
        for busy in self.running.iter().take(for_busy) {
            lines.push(page.busy(self, busy, last_output(&busy.job)));
        }
        for (job, why) in idle.iter().take(for_idle) {
            lines.push(page.idle(job, why));
        }
        let hidden = (self.running.len() - for_busy, idle.len() - for_idle);
        lines.push(page.overall(self, hidden));
        lines
    }
}

/// What the lines of one picture share.
struct Page {
    view: View,
    /// The columns of the names.
    name: usize,
    now: Timestamp,
}

impl Page {
    fn width(&self) -> usize {
        self.view.columns.saturating_sub(1)
    }

    fn busy(&self, board: &Board, busy: &Busy, last_output: Option<&Arc<str>>) -> String {
        let spent = self.now.since(busy.since);
        if let Some(prompt) = &busy.held {
            let text = held(prompt);
            return self.line(("‖", Tone::Warn), &busy.job, &[(&text, Tone::Warn)], "", 0);
        }
        let frame = usize::try_from(self.now.as_millis() / FRAME).unwrap_or(0) % SPINNER.len();
        let spinner = SPINNER[frame].to_string();
        let mut doing = match (&busy.step, board.steps(&busy.job)) {
            (Some((step, name)), Some(steps)) if steps > 1 => {
                format!("{}/{steps} {}", step.saturating_add(1), one_line(name))
            }
            (Some((_, name)), _) => one_line(name),
            (None, _) => "preparing".to_owned(),
        };
        if busy.attempt > 1 {
            doing = format!("attempt {}, {doing}", busy.attempt);
        }
        let heard = last_output
            .and_then(|text| last_line(text))
            .unwrap_or_default();
        let heard = format!("  {heard}");
        let (right, width) = self.gauge(spent, busy.usual, board.knows_history());
        let middle = [(&*doing, Tone::Bold), (&*heard, Tone::Dim)];
        self.line((&spinner, Tone::Busy), &busy.job, &middle, &right, width)
    }

    /// The elapsed time, and where history knows the job and there is room, a bar and the estimate.
    fn gauge(&self, spent: Duration, usual: Option<Duration>, known: bool) -> (String, usize) {
        let time = format!("{:>TIME$}", clock(spent));
        let taken = columns(&time);
        let room = self.width().saturating_sub(self.name + 4 + taken + 2);
        if !known || room < REST + 16 {
            return (time, taken);
        }
        let with_bar = room >= REST + BAR + 24;
        let width = taken + 2 + REST + if with_bar { BAR + 2 } else { 0 };
        let Some(usual) = usual.filter(|usual| !usual.is_zero()) else {
            // In line with the others.
            return (time, width);
        };
        let rest = match usual.checked_sub(spent) {
            Some(rest) => format!("~{} left", clock(rest + Duration::from_millis(999))),
            None => "overdue".to_owned(),
        };
        let rest = shorten(&rest, REST);
        let bar = if with_bar {
            let done = spent.as_secs_f64() / usual.as_secs_f64();
            format!("{}  ", bar(self.view.paint, done, BAR))
        } else {
            String::new()
        };
        (format!("{time}  {bar}{rest}"), width)
    }

    fn idle(&self, job: &Arc<str>, why: &Why) -> String {
        let (sign, text, tone) = match why {
            Why::Held(prompt) => ("‖", held(prompt), Tone::Warn),
            Why::Until(until) => (
                "◷",
                format!("starts in {}", clock(until.since(self.now))),
                Tone::Dim,
            ),
            Why::For(reason) => ("◷", format!("waits for {}", one_line(reason)), Tone::Dim),
        };
        self.line((sign, tone), job, &[(&text, tone)], "", 0)
    }

    /// A sign, a name, what fits of the middle, and the right side, which takes at most `taken`
    /// columns.
    fn line(
        &self,
        (sign, tone): (&str, Tone),
        job: &Arc<str>,
        middle: &[(&str, Tone)],
        right: &str,
        taken: usize,
    ) -> String {
        let paint = self.view.paint;
        let gap = if taken > 0 { 2 } else { 0 };
        let mut room = self.width().saturating_sub(self.name + 4 + taken + gap);
        let name = fit(&one_line(job), self.name);
        let mut line = format!("{} {name}  ", paint.tone(tone, sign));
        for (text, tone) in middle {
            let text = shorten(text, room);
            room -= columns(&text);
            line.push_str(&paint.tone(*tone, &text));
        }
        if taken > 0 {
            line.extend(std::iter::repeat_n(' ', room + gap));
            line.push_str(right);
        }
        // A terminal too narrow for the fixed parts gets the text without colours, cut.
        if self.name + 4 + taken + gap > self.width() {
            let plain = format!(
                "{sign} {name}  {}",
                middle.first().map_or("", |part| part.0)
            );
            return shorten(&plain, self.width());
        }
        line
    }

    fn overall(&self, board: &Board, hidden: (usize, usize)) -> String {
        let paint = self.view.paint;
        let (done, of) = board.progress();
        let share = if of == 0 { 0.0 } else { ratio(done, of) };
        let mut parts = vec![format!("{done}/{of} jobs")];
        if let Some(reason) = board.stopping {
            parts.push(format!("stopping: {reason}"));
        }
        parts.extend(
            board
                .counts()
                .map(|(kind, count)| format!("{count} {kind}")),
        );
        if hidden.0 > 0 {
            parts.push(format!("{} more running", hidden.0));
        }
        if hidden.1 > 0 {
            parts.push(format!("{} more waiting", hidden.1));
        }
        if board.ready() > 0 {
            parts.push(format!("{} ready", board.ready()));
        }
        parts.push(clock(self.now.since(board.begun)));
        if let Some(rest) = board.rest(self.now) {
            parts.push(format!(
                "~{} left",
                clock(rest + Duration::from_millis(999))
            ));
        }
        let text = parts.join(" · ");
        let width = self.width();
        if width < BAR + 20 {
            return shorten(&text, width);
        }
        let tone = if board.stopping.is_some() {
            Tone::Warn
        } else {
            Tone::Bold
        };
        let text = shorten(&text, width - BAR - 2);
        format!("{}  {}", bar(paint, share, BAR), paint.tone(tone, &text))
    }
}

fn held(prompt: &str) -> String {
    if prompt.is_empty() {
        "held: waits for approval".to_owned()
    } else {
        format!("held: {}", one_line(prompt))
    }
}

/// The last line of a piece of output that has something to show.
fn last_line(text: &str) -> Option<String> {
    // Only the end is looked at: a piece can be long, and a line on the board is not.
    let start = text.len().saturating_sub(512);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at))?;
    let mut filter = Sanitizer::new(false);
    text[start..]
        .lines()
        .rev()
        .map(|line| filter.line(line).replace('\t', " ").trim().to_owned())
        .find(|line| !line.is_empty())
}

fn bar(paint: Paint, share: f64, width: usize) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share between 0 and 1 of a few columns"
    )]
    let full = ((share.clamp(0.0, 1.0) * width as f64) as usize).min(width);
    let rest = "─".repeat(width - full);
    format!(
        "{}{}",
        paint.tone(Tone::Good, &"━".repeat(full)),
        paint.tone(Tone::Dim, &rest)
    )
}

fn ratio(done: usize, of: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of jobs")]
    let share = done as f64 / of as f64;
    share
}
