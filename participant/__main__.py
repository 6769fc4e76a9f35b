"""`netflix-trend-participant`, and what run.sh calls."""

import sys

from shared.glance import stamp_path, unchanged


def main() -> None:
    """Carry out the command line; a run that would change nothing ends before anything heavy is imported."""
    arguments = sys.argv[1:]
    if arguments in (["run"], ["run", "--once"]) and (answer := unchanged(stamp_path("netflix_trend_participant"))):
        print(answer.line, file=sys.stderr if answer.code else sys.stdout)
        sys.exit(answer.code)
    from participant.cli import call

    sys.exit(call(arguments))


if __name__ == "__main__":
    main()
