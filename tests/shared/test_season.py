import pytest

from shared.season import Marker, is_film, marker_of, name_end, repeats_name
from shared.show import split_title

SEASONS = """
English: Season 1|Series 2|Season 1B|Season Two|Limited Series|The Final Season|Season 2 Remix
Spanish: Temporada 3|Serie limitada|Miniserie|Temporada 2 (Parte A)|Primera temporada
Portuguese: Temporada 10|Minissérie|1ª Temporada|Série limitada
Catalan: Temporada 2|Minisèrie
Galician: Temporada 4|Tempada 4
Basque: 1. denboraldia
French: Saison\u00a05|Mini-série|Série limitée|Saison 2
Italian: Stagione 1|Miniserie|Serie 2
Romanian: Sezonul 1|Miniserie
German: Staffel 2|Miniserie
Dutch: Seizoen 3|Miniserie
Swedish: Säsong 1|Miniserie
Danish: Sæson 2|Miniserie
Norwegian: Sesong 3|Miniserie
Icelandic: 1. þáttaröð
Finnish: Kausi 2|3. kausi|Minisarja
Polish: Sezon 1|Seria 2|Miniserial
Czech: 1. řada|3B. řada|Minisérie
Slovak: 2. séria|Minisérie
Hungarian: 1. évad|Minisorozat
Croatian: 1. sezona|Mini-serija
Slovene: 2. sezona
Bulgarian: Сезон 2
Greek: Κύκλος 1|ΚΥΚΛΟΣ 2|Μίνι σειρά
Turkish: 6. Sezon|1. Seri|Mini Dizi
Russian: Сезон 1|2-й сезон|Мини-сериал
Ukrainian: Сезон 3|Мінісеріал
Hebrew: עונה 1|סדרה מוגבלת
Arabic: الموسم 1|الموسم الأول|مسلسل محدود
Hindi: सीज़न 1|लिमिटेड सीरीज़
Tamil: சீசன் 2
Telugu: సీజన్ 1
Thai: ซีซั่น 1|ลิมิเต็ดซีรีส์
Vietnamese: Mùa 2
Indonesian: Musim 1
Malay: Musim 2|Siri Terhad
Filipino: Season 2
Japanese: シーズン1|シーズン 2|第2シリーズ|シーズン\uff11|リミテッドシリーズ|ファイナルシーズン
Korean: 시즌 1|시즌2|리미티드 시리즈
Chinese: 第 1 季|第一季|限定劇集|限定剧集|迷你劇集
"""
PARTS = """
English: Part 3|Volume 2|Vol. 1|Book One|Chapter Three|Chapter Thirty-Two|Collection 2|Collection|The Sixth Year|Part B
English: Entertainment District Arc|Part I
Spanish: Parte 2|Volumen 1|Libro 3|Capítulo uno|Colección 1|Primera parte|Arco del distrito rojo
French: Partie 2|1re partie|Livre 2|Chapitre deux|Volume 1
German: Teil 2|Buch 3|Kapitel 1|Band 2
Italian: Parte 1|Libro 1|Capitolo 2
Dutch: Deel 2|Boek 1
Polish: Część 2|Księga 1|Rozdział drugi|Tom 2
Czech: 2. část|Kniha 1|Kapitola 2
Hungarian: 2. rész|1. könyv
Turkish: 2. Kısım|Bölüm 1|Kitap 1
Swedish: Del 2|Bok 1
Finnish: Osa 2|Kirja 1
Greek: Μέρος 2|Βιβλίο 1
Russian: Часть 2|Книга 1|Том 2
Hebrew: חלק 2
Arabic: الجزء 2
Hindi: भाग 2
Thai: ภาค 2
Vietnamese: Phần 2
Indonesian: Bagian 2
Japanese: パート3|第2章|遊郭編
Korean: 파트 2|제1부
Chinese: 第 2 部|第二部分|遊郭篇
"""
EPISODES = """
English: Episode 5|Chapter 22|Episode Two
Spanish: Episodio 2|Capítulo 45
Portuguese: Episódio 85
French: Épisode 3
German: Folge 4
Dutch: Aflevering 1
Polish: Odcinek 7
Czech: 4. epizoda|Díl 2
Hungarian: 3. epizód
Turkish: 5. Bölüm
Swedish: Avsnitt 1
Danish: Afsnit 2
Finnish: Jakso 2
Greek: Επεισόδιο 3
Russian: Серия 4|Эпизод 1
Ukrainian: Серія 2
Hebrew: פרק 3
Arabic: الحلقة 1
Hindi: एपिसोड 2
Thai: ตอนที่ 5
Vietnamese: Tập 4
Japanese: エピソード1|第5話
Korean: 에피소드 2|3화
Chinese: 第 1 集
"""


def cases(table: str) -> list[str]:
    return [word for line in table.strip().splitlines() for word in line.split(": ", 1)[1].split("|")]


@pytest.mark.parametrize("part", cases(SEASONS))
def test_a_season_is_known_in_all_of_netflix_languages(part: str) -> None:
    assert marker_of(part) is Marker.SEASON


@pytest.mark.parametrize("part", cases(PARTS))
def test_parts_volumes_books_chapters_and_arcs_are_known(part: str) -> None:
    assert marker_of(part) is Marker.PART


@pytest.mark.parametrize("part", cases(EPISODES))
def test_episodes_without_a_name_are_known(part: str) -> None:
    assert marker_of(part) is Marker.EPISODE


@pytest.mark.parametrize(
    "part",
    ["", "Black Book", "Open Season", "Rule 34", "The Final Problem", "Deep Space Nine", "1899", "Part of Me", "三体",
     "2", "A Little Part of You", "Tales of Season", "I", "The Party", "Seven Years Later", "9 1/2 Weeks"],
)  # fmt: skip
def test_what_only_looks_like_a_marker_is_none(part: str) -> None:
    assert marker_of(part) is None


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Star Trek: Deep Space Nine: Season 7: Penumbra", "Star Trek: Deep Space Nine"),
        ("Friends: Season 10: The Last One: Part 1", "Friends"),
        ("Suits - Season 1 - Pilot", "Suits"),
        ("Suits Season 1: Pilot", "Suits"),
        ("Suits (Season 2)", "Suits"),
        ("Dark_ Season 1_ Secrets", "Dark"),
        ("Marvel - Moon Tide: Temporada 1: La tormenta", "Marvel - Moon Tide"),
        ("Dune: Part Two", None),
        ("Open Season 2", None),
        ("Star Wars: Episode IV: A New Hope", None),
        ("Season 1 Trailer: Lost", None),
    ],
)
def test_the_first_marker_ends_the_name(title: str, name: str | None) -> None:
    end = name_end(split_title(title))
    assert (title[: end[0]] if end else None) == name


def test_a_season_may_be_named_after_its_show() -> None:
    assert repeats_name("Stranger Things", "Stranger Things 4")
    assert repeats_name("Rome", "Rome Rising")
    assert not repeats_name("NCIS", "Los Angeles")


def test_a_film_of_a_series_says_so() -> None:
    assert is_film("The Movie")
    assert is_film("La película")
    assert not is_film("Homecoming")
