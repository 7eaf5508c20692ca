//! The difference of two texts, as `diff -u` writes it.

use std::fmt::Write;

/// Lines around a change.
const CONTEXT: usize = 3;
/// Beyond this the middle is shown as replaced whole: the table of a difference grows with its square.
const LIMIT: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Both,
    Old,
    New,
}

fn steps(old: &[&str], new: &[&str]) -> Vec<Step> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_mid, new_mid) = (&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail]);
    let mut steps = vec![Step::Both; head];
    if old_mid.len().saturating_mul(new_mid.len()) > LIMIT {
        steps.extend(vec![Step::Old; old_mid.len()]);
        steps.extend(vec![Step::New; new_mid.len()]);
    } else {
        let width = new_mid.len() + 1;
        let mut common = vec![0_u32; (old_mid.len() + 1) * width];
        for i in (0..old_mid.len()).rev() {
            for j in (0..new_mid.len()).rev() {
                common[i * width + j] = if old_mid[i] == new_mid[j] {
                    common[(i + 1) * width + j + 1] + 1
                } else {
                    common[(i + 1) * width + j].max(common[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < old_mid.len() || j < new_mid.len() {
            if i < old_mid.len() && j < new_mid.len() && old_mid[i] == new_mid[j] {
                steps.push(Step::Both);
                (i, j) = (i + 1, j + 1);
            } else if j >= new_mid.len() || (i < old_mid.len() && common[(i + 1) * width + j] >= common[i * width + j + 1]) {
                steps.push(Step::Old);
                i += 1;
            } else {
                steps.push(Step::New);
                j += 1;
            }
        }
    }
    steps.extend(vec![Step::Both; tail]);
    steps
}

/// The difference; empty if there is none.
pub(super) fn unified(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let steps = steps(&old, &new);
    let changed: Vec<usize> = (0..steps.len()).filter(|index| steps[*index] != Step::Both).collect();
    let mut out = String::from("--- a\n+++ b\n");
    let mut next = 0;
    while next < changed.len() {
        let from = changed[next].saturating_sub(CONTEXT);
        let mut last = changed[next];
        while next < changed.len() && changed[next] <= last + 2 * CONTEXT {
            last = changed[next];
            next += 1;
        }
        let to = (last + CONTEXT + 1).min(steps.len());
        let count = |steps: &[Step], but: Step| steps.iter().filter(|step| **step != but).count();
        let (mut i, mut j) = (count(&steps[..from], Step::New), count(&steps[..from], Step::Old));
        let (old_lines, new_lines) = (count(&steps[from..to], Step::New), count(&steps[from..to], Step::Old));
        let start = |at: usize, lines: usize| if lines == 0 { at } else { at + 1 };
        let _ = writeln!(out, "@@ -{},{old_lines} +{},{new_lines} @@", start(i, old_lines), start(j, new_lines));
        for step in &steps[from..to] {
            let (sign, line) = match step {
                Step::Both => (' ', old[i]),
                Step::Old => ('-', old[i]),
                Step::New => ('+', new[j]),
            };
            i += usize::from(*step != Step::New);
            j += usize::from(*step != Step::Old);
            out.push(sign);
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn a_changed_line_stands_among_its_neighbours() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(unified(old, &old.replace('5', "five")), "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
        assert_eq!(unified(old, old), "");
        assert_eq!(unified("a\nb\n", "a\nx\ny\nb\n"), "--- a\n+++ b\n@@ -1,2 +1,4 @@\n a\n+x\n+y\n b\n");
    }
}
