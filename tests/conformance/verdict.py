"""verdict.py: which tests a suite owes, and whether it paid. Called by scripts/conformance.

    names SUITE owed|quick|all [PART...]   names to run, one a line; PART: only those that contain one of them
    red SUITE OUT                          names that are worth a second run: red in OUT/SUITE.first and not expected to be
    judge SUITE OUT                        writes OUT/SUITE.tsv, says what is wrong; status 1 if something is
    summary OUT [FAILED_SUITE...]          a table over all suites; status 1 if something is wrong

What is read:
    expected/SUITE.txt  name, pass|fail|skip|open on Apache Kafka 4.3.1, seconds, needs
    allowed/SUITE.txt   name, not-run|red, reason: what this broker does not owe yet; '#' begins a comment
    quick/SUITE.txt     name a line: the part that scripts/test runs

    expected  allowed  result of the run     verdict
    pass      -        pass                  ok
    pass      -        fail, skip, nothing   REGRESSION
    pass      red      fail, skip, nothing   allowed
    pass      red      pass                  better: remove the line from the allow-list
    any       not-run  (not run)             -
    others    -        anything              not judged: it is not green on Kafka either
    (unknown) -        fail                  REGRESSION: a new test of the suite; the lists must be brought up to date
"""
import os, sys

here = os.path.dirname(os.path.abspath(__file__))


def table(path):
    """name -> the other columns, in the file's order"""
    rows = {}
    if os.path.exists(path):
        for line in open(path):
            if line.strip() and not line.startswith('#'):
                name, *rest = line.rstrip('\n').split('\t')
                rows[name] = rest
    return rows


def expected(suite):
    return table(f'{here}/expected/{suite}.txt')


def allowed(suite):
    path = f'{here}/allowed/{suite}.txt'
    rows = table(path)
    for name, rest in rows.items():
        if len(rest) != 2 or rest[0] not in ('not-run', 'red') or not rest[1]:
            sys.exit(f'{path}: {name}: a line is name, not-run or red, and the reason, with tabs between')
        if name not in expected(suite):
            sys.exit(f'{path}: {name}: expected/{suite}.txt has no such test')
    return rows


def names(suite, mode, parts):
    exempt = allowed(suite)
    for name, (result, _, needs) in expected(suite).items():
        if needs in ('unit', 'mock'):  # judges the client alone
            continue
        if parts:
            if not any(part in name for part in parts):
                continue
        elif mode != 'all':
            if result != 'pass' or exempt.get(name, [''])[0] == 'not-run':
                continue
        if mode == 'quick' and name not in table(f'{here}/quick/{suite}.txt'):
            continue
        print(name)


def results(suite, out):
    """name -> [result, seconds, note], the second runs merged in"""
    merged = {name: rest[:2] + [''] for name, rest in table(f'{out}/{suite}.first').items()}
    for again in sorted(os.listdir(out)):
        if again.startswith(f'{suite}.again.') and os.path.isfile(f'{out}/{again}'):
            for name, rest in table(f'{out}/{again}').items():
                if name in merged and merged[name][0] == 'pass':
                    continue  # a retry may run its neighbours too
                merged[name] = rest[:2] + ['second run']
    return merged


def verdicts(suite, out):
    owed, exempt, got = expected(suite), allowed(suite), results(suite, out)
    asked = [line.rstrip('\n') for line in open(f'{out}/{suite}.names')]
    for name in asked + sorted(set(got) - set(asked)):
        result, seconds, note = got.get(name, ['nothing', '-', ''])
        if name not in owed:
            verdict = 'REGRESSION' if result == 'fail' else 'ok'
        elif name not in asked:
            continue  # ran beside one that was asked for
        elif name in exempt:
            verdict = 'better' if result == 'pass' else 'allowed'
            note = exempt[name][1]
        elif owed[name][0] != 'pass':
            verdict = 'not judged'
        else:
            verdict = 'ok' if result == 'pass' else 'REGRESSION'
        yield name, result, seconds, verdict, note


def red(suite, out):
    for name, result, _, verdict, _ in verdicts(suite, out):
        if verdict == 'REGRESSION' and result != 'skip':
            print(name)


def judge(suite, out):
    rows = list(verdicts(suite, out))
    with open(f'{out}/{suite}.tsv', 'w') as file:
        for row in rows:
            file.write('\t'.join(row) + '\n')
    wrong = [row for row in rows if row[3] == 'REGRESSION']
    for name, result, _, _, note in wrong:
        print(f'{suite}: REGRESSION {name}: {result}{note and ", also in its " + note} (logs: {out}/{suite}.*.logs)', file=sys.stderr)
    for name, _, _, verdict, note in rows:
        if verdict == 'better':
            print(f'{suite}: {name} is green now; allowed as: {note}', file=sys.stderr)
    sys.exit(bool(wrong))


def summary(out, failed):
    total = dict.fromkeys(('ok', 'better', 'allowed', 'not judged', 'REGRESSION'), 0)
    print(f"{'suite':24}{'run':>6}{'green':>7}{'retried':>9}{'allowed':>9}{'red':>5}{'not run':>9}{'seconds':>9}")
    for name in sorted(file[:-4] for file in os.listdir(out) if file.endswith('.tsv')):
        rows = [line.rstrip('\n').split('\t') for line in open(f'{out}/{name}.tsv')]
        count = {v: sum(r[3] == v for r in rows) for v in total}
        retried = sum(r[4] == 'second run' and r[1] == 'pass' for r in rows)
        seconds = open(f'{out}/{name}.seconds').read().strip()
        left = sum(rest[0] == 'not-run' for rest in allowed(name).values())
        print(f"{name:24}{len(rows):6}{count['ok'] + count['better']:7}{retried:9}{count['allowed'] + count['not judged']:9}{count['REGRESSION']:5}{left:9}{seconds:>9}"
              + ('  FAILED' if name in failed else ''))
        for v in total:
            total[v] += count[v]
    for name in failed:
        if not os.path.exists(f'{out}/{name}.tsv'):
            print(f'{name:24}  FAILED: it could not be built')
    print(f'results: {out}')
    print(f"{total['ok'] + total['better']} passed, {total['REGRESSION']} failed, {total['allowed'] + total['not judged']} skipped")
    sys.exit(bool(failed))


command, *args = sys.argv[1:]
if command == 'names':
    names(args[0], args[1], args[2:])
elif command == 'red':
    red(*args)
elif command == 'judge':
    judge(*args)
elif command == 'summary':
    summary(args[0], args[1:])
else:
    sys.exit(__doc__)
