"""What Netflix writes between a series' name and its episode: seasons, parts, episodes, in the languages it speaks."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from enum import IntEnum
from functools import lru_cache
from typing import Final

from shared.show import Part, fold, show_key


class Marker(IntEnum):
    """How sure a part of a title (`Season 2`, `Part 3`, `Episode 4`) marks that a series' name ended before it."""

    FILM = 0
    """An instalment of a film series, `Episode VII`: no series' name ends before it, unless others say so."""
    PART = 1
    """Parts, volumes, books, chapters, years, arcs: films have them too, so one that ends a title decides nothing."""
    EPISODE = 2
    SEASON = 3


_LONGEST: Final = 60
_SHORTEST_ALIKE: Final = 6
_ALIKE: Final = 0.88

# One line a language, as far as the words differ: English, Spanish, Portuguese, Catalan, Galician, Basque | French,
# Italian, Romanian | German, Dutch, Afrikaans | Swedish, Danish, Norwegian, Icelandic, Finnish | Polish, Czech, Slovak,
# Hungarian | Croatian, Serbian, Slovene, Albanian, Estonian, Latvian, Lithuanian | Greek, Turkish, Russian, Ukrainian,
# Bulgarian | Hebrew, Arabic, Persian, Urdu | Hindi, Marathi, Bengali, Punjabi, Gujarati, Tamil, Telugu, Kannada,
# Malayalam | Thai, Vietnamese, Indonesian, Malay, Filipino, Swahili | Japanese, Korean, Chinese
_SEASON_WORDS: Final = """
    season temporada tempada denboraldia denboraldi saison stagione sezonul sezon
    staffel seizoen seisoen sasong saesong sæson sesong þáttaröð kausi tuotantokausi
    řada sezóna séria rad rady évad evad sezona sezone sezoni hooaeg sezonas sezono
    κύκλος σεζόν σαιζόν sezonu сезон сезона сезонът сезони עונה العונה الموسم موسم فصل سیزن
    सीज़न सीजन सीझन সিজন ਸੀਜ਼ਨ સીઝન சீசன் பருவம் సీజన్ ಸೀಸನ್ സീസൺ
    ซีซั่น ซีซัน ซีซั่นที่ ซีซันที่ ฤดูกาล ฤดูกาลที่ ปี ปีที่ mùa musim panahon msimu
    シーズン 期 クール 시즌 기 季
"""
_SERIES_WORDS: Final = """
    series serie sèrie série séries reeks serien seria sería sarja sorozat serija seri siri serye
    σειρά סדרה السلسلة سلسلة مسلسل सीरीज़ தொடர் సిరీస్ ซีรีส์ シリーズ 시리즈 系列 輯 辑
"""
_YEAR_WORDS: Final = (
    "year año ano any urtea année annee anno anul jahr jaar år ár vuosi rok év godina god yıl год рік 年"
)
_EPISODE_WORDS: Final = """
    episode episodes ep eps episodio episodios episódio episódios episodi atala épisode épisodes episodul episoden
    folge folgen aflevering afleveringen avsnitt afsnit þáttur jakso jaksot odcinek odcinki epizoda epizodă
    epizód epizod díl diel epizode epizodi sērija επεισόδιο серия серии эпизод выпуск серія епізод випуск епизод
    פרק الحلقة حلقة قسمت قسط एपिसोड प्रकरण পর্ব எபிசோட் ఎపిసోడ్ എപ്പിസോഡ് ಸಂಚಿಕೆ
    ตอน ตอนที่ เอพิโซด tập episod エピソード 話 话 回 에피소드 화 회 集
"""
_PART_WORDS: Final = """
    part parts pt partes parte partes zatia partie parties parti partea teil teile deel del deler delar hluti osa osat
    część czesc část časť rész dio deo pjesa daļa dalis μέρος kısım kisim bölüm часть частина част
    חלק الجزء جزء بخش حصہ भाग खंड भाग ਭਾਗ ભાગ பாகம் పార్ట్ భాగం ಭಾಗ ഭാഗം ภาค ภาคที่ พาร์ท พาร์ต ส่วน ส่วนที่
    phần bagian bahagian bahagi sehemu パート 部 編 파트 부 部分
    volume volumes vol volumen volúmenes volum bolumena volumul tom tomo tome band kötet svazek zväzek svezak zvezek
    volym bind bindi nide τόμος cilt том כרך المجلد मूलखंड தொகுதி సంపుటం เล่ม เล่มที่ วอลุ่ม วอลลุ่ม jilid ボリューム 볼륨 권 卷
    book books libro llibre liburua livro livre cartea buch boek bok bog bók kirja księga kniha könyv knjiga
    βιβλίο kitap книга ספר الكتاب كتاب किताब पुस्तक புத்தகம் పుస్తకం หนังสือ quyển cuốn sách buku aklat
    ブック 巻 책 북 冊 册 書 书
    chapter chapters capítulo capítulos capítol kapitulua chapitre chapitres capitolo capitoli capitolul kapitel
    hoofdstuk hoofstuk kafli kapittel luku rozdział kapitola fejezet poglavlje kapitulli κεφάλαιο глава розділ
    פרקים الفصل अध्याय அத்தியாயம் అధ్యాయం บท บทที่ chương bab kabanata チャプター 章 챕터 장
    collection colección coleção col·lecció bilduma raccolta collezione colecția sammlung collectie samling safn
    kokoelma kolekcja kolekce kolekcia gyűjtemény kolekcija zbirka συλλογή koleksiyon коллекция колекція колекция
    אוסף مجموعة المجموعة संग्रह தொகுப்பு సేకరణ คอลเลกชัน คอลเล็กชั่น koleksi koleksyon コレクション 컬렉션 合集
    arc arco arcs act acto acte akt atto phase fase disc cour
"""
_LIMITED: Final = """
    limited series|miniseries|mini series|serie limitada|série limitada|minissérie|minisérie|miniserie|mini serie
    sèrie limitada|minisèrie|telesail mugatua|serie mugatua|mini série|série limitée|serie limitata|serie limitată
    limitierte serie|beperkte serie|begränsad serie|begrenset serie|begrænset serie|minisarja|rajoitettu sarja
    smáþáttaröð|serial limitowany|miniserial|mini serial|limitovaná série|miniséria|limitovaná séria|minisorozat
    mini sorozat|limitált sorozat|mini serija|miniserija|ograničena serija|omejena serija|mini seriali
    μίνι σειρά|μίνι σίριαλ|σειρά περιορισμένων επεισοδίων|περιορισμένη σειρά|mini dizi|sınırlı dizi
    мини сериал|минисериал|лимитированный сериал|ограниченная серия|міні серіал|мінісеріал|обмежений серіал
    лімітований серіал|лимитирана поредица|минисериал|мини сериал|סדרה מוגבלת|מיני סדרה|מיני סדרת
    مسلسل محدود|مسلسل قصير|سلسلة محدودة|المسلسل المحدود|مینی سریال|लिमिटेड सीरीज़|लिमिटेड सीरीज|मिनी सीरीज़|सीमित सीरीज़
    लघु सीरीज़|லிமிடெட் சீரீஸ்|வரையறுக்கப்பட்ட தொடர்|மினி தொடர்|குறுந்தொடர்|லிமிட்டட் சீரிஸ்|లిమిటెడ్ సిరీస్|పరిమిత సిరీస్
    మినీ సిరీస్|ลิมิเต็ดซีรีส์|มินิซีรีส์|ซีรีส์จำกัดตอน|phim giới hạn tập|phim bộ giới hạn|loạt phim giới hạn|sê ri giới hạn
    phim ngắn tập|serial terbatas|seri terbatas|miniseri|mini seri|siri terhad|limited na serye|limitadong serye
    リミテッドシリーズ|リミテッド シリーズ|ミニシリーズ|リミテッド|리미티드 시리즈|미니시리즈|미니 시리즈
    限定劇集|限定剧集|限定剧|限定影集
    迷你劇|迷你剧|迷你劇集|迷你剧集|迷你影集|迷你系列|ファイナルシーズン|最終シーズン|最終季|最终季|파이널 시즌
"""
_STANDALONE: Final = """
    collection colección coleção collezione raccolta kolekcja kolekce koleksiyon sammlung samling コレクション 컬렉션
    season temporada saison staffel stagione specials especiales especiais
"""
_FILM_WORDS: Final = """
    movie film films filme filmi filmen filmas filma película pelicula pel·lícula filmea elokuva kvikmynd bíómynd ταινία
    фильм фільм филм филма סרט הסרט فيلم الفيلم فیلم फ़िल्म फिल्म திரைப்படம் చిత్రం ภาพยนตร์ เดอะมูฟวี่ pelikula 映画 劇場版
    영화 극장판 電影 电影 电影版 電影版 剧场版 documentary documental documentário documentaire dokumentarfilm
    prequel sequel precuela secuela
"""
_TRAILER_WORDS: Final = (
    "trailer tráiler teaser clip hook recap fragman zwiastun upoutávka előzetes трейлер τρέιλερ 予告編 예고편 預告"
)
_NUMBER_WORDS: Final = """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth
    uno una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete
    dieciocho
    diecinueve veinte veintiuno veintidós treinta cuarenta primer primero primera segundo segunda tercer tercero tercera
    cuarto cuarta quinto quinta sexto sexta séptimo séptima octavo octava noveno novena décimo décima
    um uma dois duas três quatro sete oito nove dez onze doze treze vinte primeiro primeira terceiro terceira quarto
    quarta sétimo sétima oitavo oitava nono nona
    un une deux trois quatre cinq sept huit neuf dix douze treize quatorze seize vingt trente quarante cinquante
    soixante cent
    premier première deuxième seconde troisième quatrième cinquième sixième septième huitième neuvième dixième
    due tre quattro cinque sei sette otto dieci undici dodici venti prima primo seconda secondo terza terzo quarta sesta
    settima ottava nona decima
    unu doi două trei patru șase șapte opt nouă zece întâi doilea doua treia patra cincea
    ein eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf erste erster erstes zweite zweiter dritte dritter
    vierte vierter fünfte sechste siebte achte neunte zehnte
    een twee zes zeven negen tien eerste tweede derde vierde vijfde zesde zevende achtste negende tiende vijf
    en ett två fyra fem sex sju åtta nio tio första andra tredje fjärde femte sjätte sjunde åttonde nionde tionde
    et to fire seks syv otte ni ti første anden andre annen fjerde sjette syvende ottende niende åtte sju åttende
    einn tveir þrír fyrsti annar þriðji fyrsta önnur yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän
    kymmenen ensimmäinen toinen kolmas neljäs viides
    jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć pierwszy pierwsza druga drugi trzeci trzecia czwarty
    czwarta piąty piąta szósty szósta siódmy siódma ósmy ósma dziewiąty dziewiąta dziesiąty dziesiąta
    jedna dva dvě tři čtyři pět šest sedm osm devět deset první druhá druhý třetí čtvrtá čtvrtý pátá pátý šestá
    prvá prvý tretia tretí štvrtá štvrtý piata piaty
    egy kettő három négy öt hat hét nyolc kilenc tíz első második harmadik negyedik ötödik hatodik hetedik
    jedan dvije tri četiri pet šest sedam osam devet prvi drugi treći treća četvrti četvrta peti peta ena tretji
    ένα δύο τρία τέσσερα πέντε έξι πρώτος δεύτερος τρίτος τέταρτος πέμπτος πρώτο δεύτερο τρίτο τέταρτο πέμπτο
    bir iki üç dört beş altı yedi sekiz dokuz birinci ikinci üçüncü dördüncü beşinci
    один два три четыре пять шесть семь восемь девять десять первая первый вторая второй третья третий четвертая
    четвертый пятая пятый шестая шестой седьмая седьмой восьмая девятая десятая
    дві чотири шість сім вісім перша перший друга другий третя третій четверта пʼята п'ята шоста сьома
    първа първи втора втори трета трети
    ראשון ראשונה שני שנייה שניה שלישי שלישית רביעי רביעית חמישי חמישית אחת אחד שתיים שלוש
    الأول الأولى الثاني الثانية الثالث الثالثة الرابع الرابعة الخامس الخامسة السادس السادسة السابع الثامن التاسع العاشر
    एक दो तीन चार पांच पाँच पहला दूसरा तीसरा पहली दूसरी तीसरी ஒன்று இரண்டு மூன்று ஒன்றாம் ఒకటి రెండు మూడు
    หนึ่ง สอง สาม สี่ ห้า แรก một hai ba bốn năm nhất nhì nhứt satu dua tiga empat lima pertama kedua ketiga
    isa dalawa tatlo una ikalawa ikatlo 일 이 삼 사 오 하나 둘 셋
    final finale finales last ultima último última dernière dernier letzte laatste sista sidste siste ostatni ostatnia
    poslední posledná utolsó poslednja poslednji финальный последний последняя финал son τελευταία terakhir cuối
    ファイナル 最終 最终 마지막 complete completa complète
"""
_FILLERS: Final = """
    the of and a el la lo los las le les l il i gli o os as der die das den det de do da du des dos das del della di
    no nr n num number número numéro nummer numer numéro nro č št бр № số ke ika ng ang y e et und och og en i
    第 제 ที่ al cu
"""


def _words(*lines: str) -> frozenset[str]:
    return frozenset(fold(word) for line in lines for word in line.split())


_SEASON: Final = _words(_SEASON_WORDS)
_KINDS: Final = {
    **dict.fromkeys(_words(_PART_WORDS, _YEAR_WORDS), Marker.PART),
    **dict.fromkeys(_words(_EPISODE_WORDS), Marker.EPISODE),
    **dict.fromkeys(_SEASON | _words(_SERIES_WORDS), Marker.SEASON),
}
_NUMBERS: Final = _words(_NUMBER_WORDS)
_FILM: Final = _words(_FILM_WORDS)
_PILOT: Final = _words(
    "pilot piloto pilote pilotti pilotfolge pilotavsnitt pilotaflevering пилот пилотная פיילוט パイロット"
)
_TRAILER: Final = _words(_TRAILER_WORDS)
_ABOUT: Final = _FILM | _TRAILER
_FILLS: Final = _words(_FILLERS)
_ALONE: Final = {
    **dict.fromkeys(_words(_STANDALONE), Marker.PART),
    **{
        "".join(fold(phrase).split()): Marker.SEASON
        for line in _LIMITED.strip().splitlines()
        for phrase in line.split("|")
    },
}
_TOKEN: Final = re.compile(
    r"\d+[a-z\u0370-\u052f]{0,4}|[一二三四五六七八九十百]+"
    r"|[^\d\s\x00-/:-@\[-`{-\xbf\u2010-\u206f\u3000-\u3004\u3008-\u3020\u30fb\uff00-\uff0f一二三四五六七八九十百]+"
)
_ROMAN: Final = re.compile(r"(?=.)x{0,3}(?:ix|iv|v?i{0,3})")
_ARC: Final = re.compile(r"arcs? .*|arcos? (?:de|del|da|do|della?|of) .*|.+ arc|.{2,}[編篇편]")
_DASH: Final = re.compile(r"\s+[-–—]\s+")
_END: Final = re.compile(r"[\s(\[,–—-]+(\S+\s?\S*\d\S*|\d\S*\s\S+)$")
_MOST_FILMS: Final = 4  # a film has no fifth part
_FIRST_YEAR: Final = 1000
_DIGIT: Final = re.compile(r"\d")
_LONGEST_NUMBERED: Final = 20  # `2. ซีซั่นที่`, `12. denboraldia)`
_CLOSING: Final = ")] \t"


@lru_cache(maxsize=1 << 14)
def marker_of(part: str) -> Marker | None:
    """Return what this part of a title marks, None if it is a name like any other.

    A marker holds a word for a season, part or episode together with a number, in any order and nothing else; or is
    one of the few that need no number (`Limited Series`, `Collection`); or begins with a season (`Season 2 Remix`).

    >>> [marker_of(part).name for part in ("3B. řada", "The Sixth Year", "第2シリーズ", "Limited Series", "Odcinek 7")]
    ['SEASON', 'PART', 'SEASON', 'SEASON', 'EPISODE']
    >>> marker_of("Black Book"), marker_of("Open Season"), marker_of("Rule 34")
    (None, None, None)
    """
    if len(part) > _LONGEST:
        return None
    folded = fold(part)
    tokens = _TOKEN.findall(folded)
    alone = _ALONE.get("".join(tokens))
    if alone is not None:
        return alone
    if _is_season(tokens[:2]):
        return Marker.SEASON
    kinds = {kind for token in tokens if (kind := _KINDS.get(token)) is not None}
    numbers = [token for token in tokens if _is_number(token)]
    if len(tokens) == 2 and tokens[0] in _KINDS and len(tokens[1]) == 1:
        numbers.append(tokens[1])
    if kinds and numbers and all(map(_is_known, tokens)):
        if max(kinds) is Marker.EPISODE and all(map(_ROMAN.fullmatch, numbers)):
            return Marker.FILM
        return _weigh(max(kinds), tokens)
    return Marker.PART if _ARC.fullmatch(" ".join(tokens)) else None


def _weigh(kind: Marker, tokens: list[str]) -> Marker:
    """Return the marker that a word of this kind is with its number: `1. Bölüm` and `Chapter 22` are episodes."""
    number = next((int(token) for token in tokens if token.isdecimal()), 0)
    if kind is Marker.PART and (_MOST_FILMS < number < _FIRST_YEAR or (tokens[0].isdecimal() and tokens[1] == "bolum")):
        return Marker.EPISODE
    return kind


def _is_season(tokens: list[str]) -> bool:
    """Tell whether the tokens are a word for a season and its number."""
    if len(tokens) != 2:
        return False
    one, two = tokens
    return (one in _SEASON and two[0].isnumeric()) or (one[0].isnumeric() and two in _SEASON)


def _is_number(token: str) -> bool:
    return token[0].isnumeric() or token in _NUMBERS or _ROMAN.fullmatch(token) is not None


def _is_known(token: str) -> bool:
    return token in _KINDS or token in _FILLS or len(token) == 1 or _is_number(token)


def name_end(parts: list[Part]) -> tuple[int, int, Marker] | None:
    """Return where the series' name ends that a title's first marker follows, after how many parts, and the marker.

    None if nothing in the title marks an end. The name may be longer than the show's: `Rome: Rome: Season 2`.
    Where no colon sets the marker apart, a dash may, or nothing: `Suits - Season 2`, `Suits Season 2: Pilot`.

    >>> from shared.show import split_title
    >>> name_end(split_title("Lost - Season 2 - Adrift"))
    (4, 1, <Marker.SEASON: 3>)
    """
    for place in range(1, len(parts)):
        marker = marker_of(parts[place].text)
        if marker is Marker.FILM:
            return None
        if marker is not None and (marker > Marker.PART or place + 1 < len(parts)):
            return parts[place - 1].end, place, marker
    return dashed_end(parts)


def dashed_end(parts: list[Part]) -> tuple[int, int, Marker] | None:
    """Return what `name_end` does, for a title in which no colon sets a marker apart."""
    for place, part in enumerate(parts):
        text = part.text
        if len(text) > _LONGEST * 4 or not _DIGIT.search(text):
            continue
        begin = part.end - len(text)
        dashes = list(_DASH.finditer(text))
        ends = [dash.start() for dash in dashes[1:]] + [len(text)]
        for dash, end in zip(dashes, ends, strict=False):
            marker = marker_of(text[dash.end() : end])
            if marker is not None and marker > Marker.PART and dash.start():
                return begin + dash.start(), place + 1, marker
        found = _END.search(text.rstrip(_CLOSING)) if _DIGIT.search(text, len(text) - _LONGEST_NUMBERED) else None
        if found and found.start() and _is_season_phrase(found[1]):
            gap = text[found.start() : found.start(1)]
            if place + 1 < len(parts) or not gap.isspace():
                return begin + found.start(), place + 1, Marker.SEASON
    return None


def _is_season_phrase(text: str) -> bool:
    return _is_season(_TOKEN.findall(fold(text)))


def is_film(part: str) -> bool:
    """Tell whether what follows a series' name says that it is a film or a programme about it, not an episode."""
    return len(part) <= _LONGEST and not (_ABOUT).isdisjoint(_TOKEN.findall(fold(part)))


def is_trailer(part: str) -> bool:
    """Tell whether a title that begins with this part is a trailer: `Season 2 Trailer: ...`, `Teaser: ...`."""
    return len(part) <= _LONGEST and (
        not _TRAILER.isdisjoint(_TOKEN.findall(fold(part))) or marker_of(part) is Marker.SEASON
    )


def is_pilot(part: str) -> bool:
    """Tell whether a part is the title that first episodes have: `Pilot`, `Piloto`."""
    return "".join(_TOKEN.findall(fold(part))) in _PILOT


def repeats_name(name: str, part: str) -> bool:
    """Tell whether a part of a title is the show's name again, as a season's name: `Stranger Things 2`, `Rome Rising`.

    >>> repeats_name("Anna and the Glass Castle", "The Glass Castle"), repeats_name("CSI", "Miami")
    (True, False)
    """
    whole, again = show_key(name), show_key(part)
    if again.startswith(whole):
        return True
    known = set(_TOKEN.findall(fold(name)))
    words = [token for token in _TOKEN.findall(fold(part)) if token not in _FILLS and not _is_number(token)]
    return bool(words) and known.issuperset(words)


def named_again(title: str, parts: list[Part], taken: int) -> bool:
    """Tell whether all parts but the first `taken` only repeat the name that these are.

    Also in another transliteration: `Kronika Avalonu: Kronika Awalonu`.
    """
    stop = parts[taken - 1].end
    name = title[:stop]
    if all(repeats_name(name, part.text) for part in parts[taken:]):
        return True
    one, other = show_key(name), show_key(title[stop : parts[-1].end])
    if max(len(one), len(other)) > _LONGEST or min(len(one), len(other)) < _SHORTEST_ALIKE:
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() > _ALIKE
