"""What Netflix's languages write in an export: column names, month names, season words, and their order of dates.

Data only. Compared in the form of `word`: NFKC, casefolded, without dots and outer spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Literal, get_args

DateOrder = Literal["day-first", "month-first", "year-first"]
DATE_ORDERS: Final[tuple[DateOrder, ...]] = get_args(DateOrder)


def word(text: str) -> str:
    """Return what two spellings of one word have in common.

    >>> word(" Título ") == word("TÍTULO"), word("Sept.")
    (True, 'sept')
    """
    return unicodedata.normalize("NFKC", text).replace(".", "").strip().strip("\ufeff\u200e\u200f").strip().casefold()


def _words(text: str) -> frozenset[str]:
    return frozenset(word(name) for name in text.split("|"))


TITLE_NAMES: Final = _words(
    "title|titles|título|titulo|titre|titel|titolo|tytuł|tytul|başlık|baslik|titlu|název|nazev|názov|cím|naslov|"
    "наслов|название|заголовок|назва|заглавие|τίτλος|כותרת|שם|כותר|العنوان|عنوان|タイトル|作品名|제목|标题|標題|片名|"
    "名称|名稱|tittel|nimi|nimike|otsikko|judul|tajuk|tiêu đề|tên|ชื่อเรื่อง|ชื่อ|शीर्षक|தலைப்பு|శీర్షిక|pamagat|"
    "títol|izenburua|titill|pavadinimas|nosaukums|pealkiri"
)
DATE_NAMES: Final = _words(
    "date|dates|fecha|data|datum|dato|tarih|dată|dátum|дата|датум|ημερομηνία|תאריך|التاريخ|تاريخ|日付|視聴日|날짜|일자|"
    "시청일|日期|观看日期|觀看日期|päivämäärä|päiväys|pvm|päivä|tanggal|tarikh|ngày|วันที่|तारीख|दिनांक|தேதி|తేదీ|petsa|"
    "data de visualização|date de visionnage|dagsetning|kuupäev|datums"
)
ACTIVITY_NAMES: Final[Mapping[str, str]] = {
    "profilename": "profile",
    "starttime": "start",
    "duration": "duration",
    "attributes": "attributes",
    "title": "title",
    "supplementalvideotype": "supplemental",
}
"""Columns of ViewingActivity.csv, which come in English whatever the account's language; without spaces."""

_MONTHS: Final = (
    "january|february|march|april|may|june|july|august|september|october|november|december",
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec",
    "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
    "ene|feb|mar|abr|may|jun|jul|ago|sept|oct|nov|dic",
    "janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro",
    "jan|fev|mar|abr|mai|jun|jul|ago|set|out|nov|dez",
    "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
    "janv|févr|mars|avr|mai|juin|juil|août|sept|oct|nov|déc",
    "januar|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember",
    "jan|feb|mär|apr|mai|jun|jul|aug|sep|okt|nov|dez",
    "jänner|feber|mrz|apr|mai|juni|juli|aug|sept|okt|nov|dez",
    "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre",
    "gen|feb|mar|apr|mag|giu|lug|ago|set|ott|nov|dic",
    "januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december",
    "jan|feb|mrt|apr|mei|jun|jul|aug|sep|okt|nov|dec",
    "januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december",
    "januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december",
    "januar|februar|mars|april|mai|juni|juli|august|september|oktober|november|desember",
    "jan|feb|mar|apr|mai|jun|jul|aug|sep|okt|nov|des",
    (
        "tammikuuta|helmikuuta|maaliskuuta|huhtikuuta|toukokuuta|kesäkuuta|heinäkuuta|elokuuta|syyskuuta|lokakuuta|"
        "marraskuuta|joulukuuta"
    ),
    "tammi|helmi|maalis|huhti|touko|kesä|heinä|elo|syys|loka|marras|joulu",
    "stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia",
    "sty|lut|mar|kwi|maj|cze|lip|sie|wrz|paź|lis|gru",
    "ledna|února|března|dubna|května|června|července|srpna|září|října|listopadu|prosince",
    "led|úno|bře|dub|kvě|čvn|čvc|srp|zář|říj|lis|pro",
    "januára|februára|marca|apríla|mája|júna|júla|augusta|septembra|októbra|novembra|decembra",
    "január|február|március|április|május|június|július|augusztus|szeptember|október|november|december",
    "jan|febr|márc|ápr|máj|jún|júl|aug|szept|okt|nov|dec",
    "ocak|şubat|mart|nisan|mayıs|haziran|temmuz|ağustos|eylül|ekim|kasım|aralık",
    "oca|şub|mar|nis|may|haz|tem|ağu|eyl|eki|kas|ara",
    "ianuarie|februarie|martie|aprilie|mai|iunie|iulie|august|septembrie|octombrie|noiembrie|decembrie",
    "ian|feb|mar|apr|mai|iun|iul|aug|sept|oct|noi|dec",
    "siječnja|veljače|ožujka|travnja|svibnja|lipnja|srpnja|kolovoza|rujna|listopada|studenoga|prosinca",
    "sij|velj|ožu|tra|svi|lip|srp|kol|ruj|lis|stu|pro",
    "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря",
    "янв|фев|мар|апр|мая|июн|июл|авг|сен|окт|ноя|дек",
    "січня|лютого|березня|квітня|травня|червня|липня|серпня|вересня|жовтня|листопада|грудня",
    "січ|лют|бер|квіт|трав|черв|лип|серп|вер|жовт|лист|груд",
    (
        "ιανουαρίου|φεβρουαρίου|μαρτίου|απριλίου|μαΐου|ιουνίου|ιουλίου|αυγούστου|σεπτεμβρίου|οκτωβρίου|νοεμβρίου|"
        "δεκεμβρίου"
    ),
    "ιαν|φεβ|μαρ|απρ|μαΐ|ιουν|ιουλ|αυγ|σεπ|οκτ|νοε|δεκ",
    "ינואר|פברואר|מרץ|אפריל|מאי|יוני|יולי|אוגוסט|ספטמבר|אוקטובר|נובמבר|דצמבר",
    "يناير|فبراير|مارس|أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|نوفمبر|ديسمبر",
    "มกราคม|กุมภาพันธ์|มีนาคม|เมษายน|พฤษภาคม|มิถุนายน|กรกฎาคม|สิงหาคม|กันยายน|ตุลาคม|พฤศจิกายน|ธันวาคม",
    "januari|februari|maret|april|mei|juni|juli|agustus|september|oktober|november|desember",
    "jan|feb|mar|apr|mei|jun|jul|agu|sep|okt|nov|des",
    "januari|februari|mac|april|mei|jun|julai|ogos|september|oktober|november|disember",
    "जनवरी|फ़रवरी|मार्च|अप्रैल|मई|जून|जुलाई|अगस्त|सितंबर|अक्टूबर|नवंबर|दिसंबर",
)


def _month_numbers() -> dict[str, int]:
    """Return the number of each month name; a name that two languages give to different months decides nothing."""
    numbers: dict[str, set[int]] = {}
    for names in _MONTHS:
        for number, name in enumerate(names.split("|"), start=1):
            numbers.setdefault(word(name), set()).add(number)
    return {name: min(found) for name, found in numbers.items() if len(found) == 1}


MONTHS: Final[Mapping[str, int]] = _month_numbers()

_DAY: Final[frozenset[DateOrder]] = frozenset({"day-first"})
_YEAR: Final[frozenset[DateOrder]] = frozenset({"year-first"})
_DAY_OR_YEAR: Final[frozenset[DateOrder]] = _DAY | _YEAR
_ANY: Final[frozenset[DateOrder]] = frozenset(DATE_ORDERS)

_SEASON_WORDS: Final[tuple[tuple[str, frozenset[DateOrder]], ...]] = (
    ("season", _ANY),  # American, British, Canadian and Indian English
    # Spanish and Portuguese; German; Polish and Turkish; Italian; Dutch; Danish; Norwegian; Finnish; Czech and Slovak;
    # Romanian; Croatian; Russian and Ukrainian; Greek; Hebrew; Vietnamese; Indonesian and Malay; Hindi
    ("temporada|staffel|sezon|stagione|seizoen|sæson|sesong|kausi|řada|rada|sezóna|série|séria|sezonul", _DAY),
    ("sezona|сезон|σεζόν|κύκλος|עונה|mùa|musim|सीज़न", _DAY),
    ("saison|säsong|الموسم", _DAY_OR_YEAR),  # French, also Canadian; Swedish, also Finland's; Arabic
    ("シーズン|시즌|évad", _YEAR),
    ("第|季", _DAY_OR_YEAR),  # Chinese: mainland and Taiwan year first, Hong Kong day first
)
ORDERS_OF_SEASON_WORD: Final[Mapping[str, frozenset[DateOrder]]] = {
    word(name): orders for names, orders in _SEASON_WORDS for name in names.split("|")
}
_JOINED = "|".join(sorted(map(re.escape, ORDERS_OF_SEASON_WORD), key=len, reverse=True))
SEASON_WORD: Final = re.compile(rf"(?:(?<=:)|(?<=: ))(?:({_JOINED})\s?\d{{1,3}}\b|\d{{1,3}}[a-z]?\s?({_JOINED})(?!\w))")
"""Finds a season word with its number, behind a colon, in a title in the form of `word`."""
