"""What people see on a terminal and in a pipe."""

import io

from rich.console import Console

from shared.screen import Column, print_lines, print_table, printable, screen

NASTY = "[bold red]Show[/] :smile: \x1b[31m\u202e\n2nd"
SHOWN = r"[bold red]Show[/] :smile: \x1b[31m\u202e\n2nd"
COLUMNS = (Column("show"), Column("views", number=True))


def printed(*, terminal: bool, width: int = 40) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, no_color=True, markup=False, emoji=False)
    print_lines(console, [NASTY, ("one two " * 20).strip()])
    print_table(console, COLUMNS, [(NASTY, 1), ("Dark", 12)])
    return out.getvalue()


def test_text_from_outside_is_neither_markup_nor_a_control_sequence() -> None:
    assert printable(NASTY) == SHOWN
    assert "\x1b[31m" not in printed(terminal=True)
    assert SHOWN in printed(terminal=True, width=100)
    assert printed(terminal=False).splitlines()[0] == SHOWN


def test_in_a_pipe_nothing_is_wrapped_or_cut_and_a_row_is_a_line() -> None:
    lines = printed(terminal=False, width=20).splitlines()
    assert lines[1] == ("one two " * 20).strip()
    assert lines[2:] == [f"  {'show':{len(SHOWN)}}  views", f"  {SHOWN}      1", f"  {'Dark':{len(SHOWN)}}     12"]


def test_on_a_terminal_lines_are_wrapped_between_words_and_a_path_stays_whole() -> None:
    lines = printed(terminal=True, width=40).splitlines()
    assert max(len(line) for line in lines[:6]) <= 40
    assert "one two one two" in lines[2]
    out = io.StringIO()
    print_lines(Console(file=out, force_terminal=True, width=20), [f"at /{'a-b/' * 20} now"])
    assert f"/{'a-b/' * 20}\n" in out.getvalue()


def test_joiners_that_spell_words_stay() -> None:
    assert printable("می\u200cخواهم") == "می\u200cخواهم"


def test_the_screen_reads_nothing_as_markup() -> None:
    console = screen()
    with console.capture() as captured:
        console.print("[red]x[/red] :smile:")
    assert captured.get() == "[red]x[/red] :smile:\n"
