"""Hold the help's texts on what is not a chart; a topic is what a panel names as its own."""

from __future__ import annotations

from mbpo.settings.language import tr

STEERED = tr("""\
k (rollout_length) is how many imagined steps branch from each real state; 0 is plain SAC. At auto
k_policy chooses it, and turns while the run learns: schedule follows rollout_schedule, bound the
theorem's k*; disagreement, mask, information and weight judge every imagined row by what the members
of the ensemble say of it, for at most rollout_limit steps. With a number for k no rule is in force.
real_ratio is the share of real rows in each batch of SAC. A change holds from the env step shown as
"applied @"; "measured" is what sampling really did.""")

COMPARING = tr("""\
c marks the run in focus, C its whole family: the runs it descends from, their forks and its own.
Where all of them are marked, C takes off every mark; * does the same with all runs that the table
lists, so that a filter chooses them. Up to 52 runs have a letter, A to Z and a to z; after eight the
colours begin again, and letters stand along the lines. The run in focus is drawn with them, marked
or not. What forks share with the run they left is drawn once. Where not all values fit into the line
above a chart, or all runs below, that of the run in focus is there, and how many more; d has all.
"at 4,000" is the last env step at which all of them were evaluated: compare there. Two evaluations
closer than their ± say little, and two runs of one seed each say less than five of either.""")

WHAT_IF = tr("""\
w asks what other settings would have done from an env step on. Every value after --set is an arm, the
settings in force there are one more, "as it is", and each arm is a few forks of the run: a repeat has
the same random streams in every arm. The newest answer stands on the page of t and above the bound:
who was best, by how much over as it is with a 95 % interval, or that it cannot be told. P(best) is how
often an arm leads when its repeats are drawn again. The forks lie in .what-if/RUN@STEP beside the run.""")

FILTERING = tr("""\
/ lists only some runs. A word is looked for in name, title, tags, environment, preset and state; fields are
compared, as in env=Hopper* and k>=5 and best>1000, or not (state=failed or seed<3), or tag=paper and age<2d.
Every column that O offers is a field, and so is every setting, as in force now. = takes * and ?, ~ a regular
expression, : a part of the text. Enter keeps the filter, esc in its line lets it go. o, or a click on a column's
head, sorts by any column that is shown. O chooses the columns and their order. The app remembers columns, and of
each folder of runs the filter, the order and whether G is on; a filter stands below the table while it is in force.

N gives a run a title, a note and tags; its directory keeps its name. A puts it away: it is listed no more, unless
the filter has the word archived, and A takes it back. D moves a run that is not at work into the trash, a folder
.trash beside the runs, and ctrl+p, trash, brings it back or removes it for good. i shows all of one run: every
setting, versions, commands. In a group, N, A and D act on all its runs.""")

GROUPS = tr("""\
G folds runs that differ in nothing but their seed into one line, as pendulum k=5 ×10; forks are of one group where
the runs that they left are. Enter or → shows its runs below it, ← folds it. Its evaluation is the interquartile
mean (IQM), the mean of the middle half of the seeds, at the last env step that all of them share, with its 95 %
band from resampled seeds; ~ stands before it until the runs are read. A group in focus is drawn as its IQM with
the band, its seeds thin. c marks a group as one letter: two groups are two bands, and "beats B" is how often a
seed of one does better than a seed of the other. A seed that broke off ends the band for all: a filter, as
not state=failed, takes it out. mbpo.compare says the same figures.""")

STUDIES = tr("""\
A study, settings × seeds in one file, is a line above its runs: how many are done of those that it asks for, and of
the rest how many failed (✗), diverged (!), were cut off (?), are running (●) or wait (○), not begun. In focus it shows
its arms as bands, and which runs do not go on and why. Enter or ← folds it, → unfolds it; with G its runs stand below
it by arm. A learner on another host counts as cut off when its heart has not beaten for a minute. g on a run that
failed or was cut off has the engine that had the study go on with it, the queue here, Ray or Slurm; g on the study's
line goes on with all that is left. python -m mbpo.study begins a study.""")

REPORTS = tr("""\
x writes what is on screen as one page for a browser, which opens from disk and asks no server for anything: of the
run in focus its charts, trust, what-ifs, settings, family and commands, in report.html in the run; of runs or groups
that are marked the comparison, in comparison-TIME.html beside them. A line says where it is. mbpo.report does the
same, with --charts FOLDER every chart as PNG and SVG too. A run leaves its report at its end, unless report is off.""")

LIFE = tr("""\
Runs are processes of their own. Quitting, a closed terminal or a crash of this app stops none of
them: open it again and everything is there. Only s, confirmed, stops a run.""")

EVENTS = tr("""\
What happened, by env step: E an evaluation, ⇄ a change by hand and who made it, ▣ the newest checkpoint,
↻ resumed, ! a warning. Changes stay in view however many checkpoints follow. The log is what the learner
printed; l opens all of it, and / there keeps the lines that have all the words typed.""")

METRICS = tr("""\
M shows every metric that the run has, in pages of small charts. / keeps those whose name has all the words
typed, m smooths more and after the most not at all, y turns a logarithmic axis. As many charts stand on a page as
fit; c shows a column of them fewer, r a row, and after one as many as fit again, which the app remembers. What a
metric is, and its unit, stands below its chart.""")
