"""Pictures of a run, as SVG by gnuplot: bars are medians, with the smallest and the largest of the rounds."""
import dataclasses
import statistics
import subprocess

from questions import CPU, QUESTIONS, answer

OURS = ("#08519c", "#3182bd", "#6baed6", "#9ecae1")
OTHERS = ("#d95f02", "#e7a13d", "#b5534a", "#937860")
FLOOR = "#7f7f7f"


@dataclasses.dataclass(frozen=True)
class Chart:
    file: str
    title: str
    unit: str
    groups: tuple  # (label, {series: [values]})
    is_log: bool = False

    def series(self):
        return list(dict.fromkeys(name for _, by_name in self.groups for name in by_name))


def by_case(samples, cases):
    return tuple((label, samples[case]) for label, case in cases if samples.get(case))


def beside_peers(samples):
    """Drover beside the best peer, of each question about CPU that has one."""
    groups = []
    for question in QUESTIONS:
        found = answer(question, samples)
        if question.unit == CPU and found and found.best:
            case = samples[question.case]
            groups.append((f"{question.case}: {found.best[0]}", {"Drover": case[found.ours[0][0]], "beside it": case[found.best[0]]}))
    return tuple(groups)


def charts(samples):
    depths = [(f"depth {depth}", f"kvs/get/{depth}") for depth in (1, 16, 64)]
    at_once = [(f"{number} at once", f"mux/0/{number}") for number in (10, 100, 350)]
    every = (Chart("cpu.svg", "Server CPU for one message, connection or request, by question", "us", beside_peers(samples), is_log=True),
             Chart("kvs.svg", "Key-value GET: server CPU a request", "us", by_case(samples, depths), is_log=True),
             Chart("mux.svg", "Streams: server CPU a request", "us", by_case(samples, at_once)),
             Chart("bulk.svg", "One stream that carries much", "MB a second of server CPU",
                   by_case(samples, [("up", "bulk/up"), ("down", "bulk/down")])))
    return [chart for chart in every if chart.groups]


def quoted(text):
    return '"' + text.replace("\\", "").replace('"', "") + '"'


def data(chart):
    """A line for each group: its label, then median, smallest and largest of each series; ? is none."""
    lines = []
    for label, by_name in chart.groups:
        cells = [quoted(label)]
        for name in chart.series():
            values = by_name.get(name)
            cells += [f"{v:.6g}" for v in (statistics.median(values), min(values), max(values))] if values else ["?"] * 3
        lines.append(" ".join(cells))
    return "\n".join(lines)


def colours(names):
    """Drover's are blue, what is beside them is not."""
    ours, others = iter(OURS * len(names)), iter(OTHERS * len(names))
    return [FLOOR if name.startswith("floor") else next(ours if name.startswith("Drover") else others) for name in names]


def script(chart, path):
    names = chart.series()
    plots = [f"$data using {3 * i + 2}:{3 * i + 3}:{3 * i + 4}:xtic(1) title {quoted(name)} lc rgb {quoted(colour)}"
             for i, (name, colour) in enumerate(zip(names, colours(names)))]
    return f"""$data << END
{data(chart)}
END
set terminal svg size 960,{640 if len(chart.groups) > 4 else 480} noenhanced background rgb "white" font "sans-serif,12"
set output {quoted(str(path))}
set title {quoted(chart.title)}
set ylabel {quoted(chart.unit)}
set datafile missing "?"
set style data histograms
set style histogram errorbars gap 2 lw 1
set style fill solid 0.9
set grid ytics
set key outside bottom center horizontal
{"set xtics rotate by -35; set rmargin 20" if len(chart.groups) > 4 else ""}
{"set logscale y" if chart.is_log else "set yrange [0:*]"}
plot {", ".join(plots)}
"""


def draw(samples, folder):
    """(title, file) of the pictures, which are written into the folder."""
    drawn = []
    for chart in charts(samples):
        run = subprocess.run(["gnuplot"], input=script(chart, folder / chart.file), capture_output=True, text=True, timeout=60)
        if run.returncode != 0:
            raise RuntimeError(f"gnuplot: {run.stderr.strip()}")
        drawn.append((chart.title, chart.file))
    return drawn
