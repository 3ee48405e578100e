# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as JSON, as tables of docs/performance.md, and beside a
baseline of ratios."""
import dataclasses
import json
import os
import platform
import re

from measure import OURS

BEGIN = "<!-- from make bench; do not edit -->\n"
END = "<!-- end of make bench -->\n"
WORSE = 1.25  # a ratio that is this much worse than its baseline is a failure


def as_json(sections, micro, size, versions):
    return {
        "machine": {"kernel": platform.release(), "cores": os.cpu_count(),
                    "processor": processor(), "load": os.getloadavg()},
        "size": dataclasses.asdict(size), "versions": versions,
        "sections": [{"name": name, "heading": heading,
                      "rows": [row.as_json() for row in rows]}
                     for name, heading, rows in sections],
        "micro": micro}


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        found = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
    return found[1] if found else platform.machine()


def write(data, path, give_away):
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    give_away(path)


def figure(x):
    """Three significant digits, thousands apart."""
    if x is None:
        return "-"
    if x == 0 or abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.3g}"


def rows_of(data):
    return [row for section in data["sections"] for row in section["rows"]]


def verdict(target):
    if target["met"] is None:
        return "not measured"
    return "yes" if target["met"] else "**no**"


def summary(data):
    lines = ["| What | egress-run | target | is | reached |",
             "|---|---|---|---|---|"]
    for row in rows_of(data):
        ours = row["candidates"].get(OURS, {}).get("median")
        for i, target in enumerate(row["targets"]):
            what = f"{row['what']} | {figure(ours)} {row['unit']}"
            lines.append(f"| {what if i == 0 else ' | '} | {target['target']}"
                         f" | {figure(target['value'])} | {verdict(target)} |")
    return lines


def details(section):
    lines = ["", f"### {section['heading']}", "",
             "| What | candidate | median | p25 to p75 | n "
             "| egress-run to it |",
             "|---|---|---|---|---|---|"]
    for row in section["rows"]:
        what = f"{row['what']}, {row['unit']}" if row["unit"] else row["what"]
        what += f" ({row['note']})" if row["note"] else ""
        for name, got in row["candidates"].items():
            if "cannot_run" in got:
                lines.append(f"| {what} | {name} | does not run: "
                             f"{got['cannot_run']} | | | |")
            else:
                ratio = got["egress_run_to_this"]
                ratio = "" if name == OURS or ratio is None \
                    else f"{figure(ratio)} ×"
                lines.append(
                    f"| {what} | {name} | {figure(got['median'])} | "
                    f"{figure(got['p25'])} to {figure(got['p75'])} | "
                    f"{got['repetitions']} | {ratio} |")
            what = ""
    return lines


def table(data):
    machine, size = data["machine"], data["size"]
    lines = [
        f"Linux {machine['kernel']}, {machine['cores']} cores "
        f"({machine['processor']}); load average at the end "
        f"{machine['load'][0]:.1f}. Medians of {size['repetitions']} "
        f"repetitions ({size['some']} of the long ones), candidates in turn."
        + (" A quick run: the figures are rough." if size["quick"] else ""),
        "", "Versions: " + ", ".join(f"{n} {v}" for n, v in
                                     data["versions"].items()) + ".",
        "", "### Targets", "", *summary(data)]
    for section in data["sections"]:
        lines += details(section)
    if data["micro"]:
        lines += ["", "### Single functions", "", "```"]
        lines += [json.dumps(one) for one in data["micro"]] + ["```"]
    return "\n".join(lines) + "\n"


def insert(path, text):
    """Put the tables between the two marks of that file."""
    old = path.read_text()
    head, rest = old.split(BEGIN)
    path.write_text(head + BEGIN + "\n" + text + "\n" + END
                    + rest.split(END)[1])


# ---- baseline ---------------------------------------------------------------

def ratios(data):
    """{row: {candidate: how much worse ours is, below 1 is better}}."""
    found = {}
    for row in rows_of(data):
        for name, got in row["candidates"].items():
            ratio = got.get("egress_run_to_this")
            if name != OURS and ratio:
                worse = ratio if row["better"] == "less" else 1 / ratio
                found.setdefault(row["key"], {})[name] = round(worse, 4)
    return found


def check(data, path):
    """0 if no ratio is much worse than in the baseline, else 1."""
    if not path.exists():
        print(f"bench-check: there is no {path}: make bench-baseline records "
              "one")
        return 1
    before, bad, seen = json.loads(path.read_text()), 0, 0
    for key, names in ratios(data).items():
        for name, worse in names.items():
            old = before.get(key, {}).get(name)
            if old is None:
                continue
            seen += 1
            if worse > old * WORSE:
                print(f"worse: {key} against {name}: {worse:.3g}, "
                      f"the baseline has {old:.3g}")
                bad += 1
    print(f"bench-check: {seen} ratios, {bad} worse than 1.25 times the "
          "baseline")
    return 1 if bad or not seen else 0
