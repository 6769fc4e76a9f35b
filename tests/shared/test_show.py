import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.show import MOST_COLONS, colon_key, part_key, show_key, split_title


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Grey's Anatomy", "Grey\u2019s Anatomy"),
        ("Élite", "ELITE"),
        ("E\u0301lite", "Élite"),
        ("Kırmızı Oda", "KIRMIZI ODA"),
        ("Babylon Berlin", "Babylon\u00a0Berlin"),
        ("Dark", "\uff24\uff41\uff52\uff4b"),
        ("S.W.A.T.", "SWAT"),
        ("Ant-Man: Returns", "Ant\u2011Man : Returns"),
        ("The Office (U.S.)", "The Office (US)"),
        ("The Office (U.S.)", "The Office"),
        ("House of Cards (EE. UU.)", "House of Cards"),
        ("The Office (U.K.)", "The Office (UK)"),
        ("Sam & Cat", "Sam and Cat"),
        ("3%", "3\u00a0%"),
        ("Straße", "STRASSE"),
        ("Łódź", "lodz"),
        ("ΕΛΛΑΔΑ", "Ελλάδα"),
        ("Ёлки", "елки"),
        ("ガンダム", "ｶﾞﾝﾀﾞﾑ"),
        ("더 글로리", "더글로리"),
        ("The End of the F***ing World", "The End of the F**ing World"),
        ("Haikyu!!", "HAIKYU!!"),
        ("أحمد", "احمد"),
    ],
)
def test_spellings_of_one_show_have_one_key(one: str, other: str) -> None:
    assert show_key(one) == show_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Office (U.S.)", "The Office (U.K.)"),
        ("Kung Fu Panda", "Kung Fu Panda 2"),
        ("Rocky", "Rocky II"),
        ("3%", "3"),
        ("#Alive", "Alive"),
        ("+1", "1"),
        ("1899", "1983"),
        ("The Crew", "Crew"),
        ("Charmed", "Charmed (2018)"),
        ("ガンダム", "カンタム"),
        ("की", "का"),
        ("мой", "мои"),
        ("???", "!!!"),
        ("Us", "The US"),
    ],
)
def test_two_shows_have_two_keys(one: str, other: str) -> None:
    assert show_key(one) != show_key(other)


@given(st.text(max_size=60))
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert show_key(show_key(name)) == show_key(name)


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_every_name_has_a_key(name: str) -> None:
    assert show_key(name)


@given(st.text(alphabet="ab1 :_-(é：&.", max_size=40))
def test_a_title_is_cut_without_a_letter_lost(title: str) -> None:
    parts = split_title(title)
    assert "".join(part_key(part.text) for part in parts) in {show_key(title), ""}
    for part in parts:
        assert title[part.end - len(part.text) : part.end] == part.text


@given(st.text(alphabet="abC1 :'-.", max_size=40))
def test_the_quick_key_is_the_key_with_colons(title: str) -> None:
    quick = colon_key(title)
    assert quick is None or quick.replace(":", "") == "".join(part_key(part.text) for part in split_title(title))


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        ("The Villa: Night 2, 9:45 p.m.", ["The Villa", "Night 2, 9:45 p.m."]),
        ("Borgen : une femme au pouvoir: Saison 2", ["Borgen", "une femme au pouvoir", "Saison 2"]),
        ("星際爭霸戰：深空九號: 第 7 季", ["星際爭霸戰", "深空九號", "第 7 季"]),
        ("Dark_ Season 1_ Secrets", ["Dark", "Season 1", "Secrets"]),
        ("SAC_2045", ["SAC_2045"]),
        ("Name:", ["Name"]),
        ("", [""]),
    ],
)
def test_a_title_is_cut_at_its_colons(title: str, parts: list[str]) -> None:
    assert [part.text for part in split_title(title)] == parts


def test_only_a_colon_set_as_netflix_sets_it_is_sure() -> None:
    assert [part.loose for part in split_title("Kill Boksoon : la revanche")] == [False, True]
    assert [part.loose for part in split_title("Dark: Saison 1")] == [False, False]


def test_a_title_of_colons_is_cut_in_bounded_pieces() -> None:
    assert len(split_title("a: " * 100_000)) <= MOST_COLONS + 1
