"""A run as Markdown: the table of questions, which README has too, the pictures, and every case with its spread."""
import statistics

from questions import COLUMNS, QUESTIONS, answer

README_MARKS = ("<!-- bench: table -->\n", "<!-- bench: end -->\n")
NOT_MEASURED = "not measured"

# (title, what is to be known to read it, cases)
SECTIONS = (
    ("Echo, 64 bytes: CPU us a message, by depth", "", ("echo/",)),
    ("Memory of an idle connection, bytes", "User space. nginx: what it keeps for each of worker_connections, and what an idle one takes.", ("idle",)),
    ("Short connections: CPU us each", "nginx answers at accept, and so does `return`. HAProxy has no answer of its own in tcp mode, and parses "
     "a minimal HTTP request.", ("connections",)),
    ("A file to one client: CPU ms", "Over loopback TCP the receiver's half of the kernel's work is done while the sender sends; to a unix "
     "socket there is no such half.", ("files/",)),
    ("Key-value servers: CPU us a request, by depth", "Paths of some 85 bytes, values of 32. LPM asks three levels below a stored "
     "path. The floor is echo of 64 bytes at that depth: what the kernel takes.", ("kvs/get/", "kvs/lpm/", "kvs/set/")),
    ("Key-value servers: bytes of memory an item", "Key and value included.", ("kvs/memory",)),
    ("The store by itself: CPU ns a request", "In one process, without a server.", ("store/ns",)),
    ("The store by itself, after a writer was killed: us, by items", "For the next one who writes to that part of it: the repair, and the "
     "collection of what the dead one had taken.", ("store after a kill/",)),
    ("Streams: CPU us a request, by delay in ms and requests at once", "", ("mux/",)),
    ("Streams: requests a second", "", ("mux rate/",)),
    ("One stream that carries much: MB a second of server CPU", "The floor is the same bytes without streams, written from memory or only read: "
     "what the kernel takes.", ("bulk/",)),
    ("One stream that carries much: MB a second", "", ("bulk rate/",)),
    ("Memory of an idle stream, bytes", "All of the worker's, the session included.", ("stream memory",)),
)


def figure(value):
    """With the digits that mean something."""
    for least, decimals in ((100, 0), (10, 1)):
        if abs(value) >= least:
            return f"{value:,.{decimals}f}"
    return f"{value:.2f}"


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def from_to(values, show):
    shown = [show(value) for value in values]
    return shown[0] if len(set(shown)) == 1 else f"{show(min(values))} to {show(max(values))}"


def question_row(question, samples):
    wanted = str(question.wanted) if question.wanted else ""
    found = answer(question, samples)
    if found is None:
        return [question.text, NOT_MEASURED, "", "", wanted, ""]
    ours = ", ".join(figure(value) for _, value in found.ours) + f" {question.unit}"
    beside = f"{found.best[0]} {figure(found.best[1])} {question.unit}" if found.best else ""
    two = lambda value: f"{value:.2f}"
    ratio = from_to(found.ratios, two) if found.ratios else ""
    ratio += f" ({from_to(found.spread, two)})" if found.spread else ""
    verdict = ("met" if found.meets(question.wanted) else "missed") if question.wanted else ""
    return [question.text, ours, beside, ratio, wanted, verdict]


def question_table(samples):
    return table(COLUMNS, [question_row(question, samples) for question in QUESTIONS])


def cell(values):
    if not values:
        return ""
    return figure(values[0]) if len(values) == 1 else f"{figure(statistics.median(values))} ({figure(min(values))} to {figure(max(values))})"


def section_table(samples, prefixes):
    """Cases down, servers across, but for a single case: its servers down."""
    cases = {case: by_name for case, by_name in samples.items() if case.startswith(tuple(prefixes))}
    if not cases:
        return NOT_MEASURED + "\n"
    if len(cases) == 1:
        (by_name,) = cases.values()
        return table(["", "median (smallest to largest)"], [[name, cell(values)] for name, values in by_name.items()])
    names = list(dict.fromkeys(name for by_name in cases.values() for name in by_name))
    return table(["", *names], [[case.partition("/")[2], *(cell(by_name.get(name)) for name in names)] for case, by_name in cases.items()])


def spread_table(samples):
    rows = []
    for case, fields in samples.items():
        if case.startswith("spread/"):
            accepted, empty = ([int(n) for n in fields[field]] for field in ("accepted", "empty_wakeups"))
            rows.append([case.partition("/")[2], " / ".join(map(str, accepted)), " / ".join(map(str, empty))])
    return table(["accept", "accepted by slot", "empty wake-ups by slot"], rows)


def facts(about):
    return "".join(f"- {what}: {value}\n" for what, value in about.items())


def failure_list(failures):
    if not failures:
        return "Nothing: all was measured.\n"
    return "".join(f"- **{what}**: {' '.join(why.split()) or 'no reason given'}\n" for what, why in failures)


def write(run, pictures):
    """`run` is what the results file keeps: about, samples, failures. `pictures`: (title, file)."""
    samples = run["samples"]
    parts = ["# Drover bench\n", facts(run["about"]), "## Questions\n",
             "Medians of interleaved runs. Where there are several figures of Drover, they are of yamux, xtaci/smux v1 and v2 in this order, and "
             "what stands beside them is the best of the Go servers. In brackets the smallest and the largest ratio of any round.\n",
             question_table(samples), "## What failed\n", failure_list(run["failures"]), "## Pictures\n",
             "".join(f"![{title}]({file})\n" for title, file in pictures) or "none\n"]
    for title, note, prefixes in SECTIONS:
        parts += [f"## {title}\n", *([note + "\n"] if note else []), section_table(samples, prefixes)]
    parts += ["## Connections that come one after the other on 4 idle workers\n", spread_table(samples)]
    return "\n".join(parts)


def readme_part(run):
    about = run["about"]
    return f"The run of {about['date']} (Drover {about['version']}; {about['machine']}; Linux {about['kernel']}; {about['peers']}):\n\n" + \
        question_table(run["samples"])


def with_part(readme, part):
    """README with the part between its marks."""
    begin, end = README_MARKS
    before, _, rest = readme.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError("README.md has no marks for the table")
    return before + begin + part + end + after
