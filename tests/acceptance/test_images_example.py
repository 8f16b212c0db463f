"""examples/images from end to end: images found by misspelt names in any script, best first, with highlights."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from dynalens.config import load
from dynalens.errors import EXIT_OK
from tests.examples import ADDRESS, EXAMPLES, address_of, blocks, commands, curl, dynalens, opensearch, seed, up_on
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

TABLE = "Images"
LIBRARY = [json.loads(line) for line in (EXAMPLES / "images" / "images.ndjson").read_text().splitlines()]
TITLES = {image["id"]: image["title"] for image in LIBRARY}

MISSPELT = {
    "eifel towr": "The <em>Eiffel</em> <em>Tower</em> at dusk",
    "lighthose wintr": "<em>Lighthouse</em> in a <em>winter</em> storm",
    "grafitti": "<em>Graffiti</em> on the Berlin Wall",
    "humpbak wale": "A <em>humpback</em> <em>whale</em> breaching",
    "nothern ligths": "<em>Northern</em> <em>lights</em> over a frozen lake",
    "kapadocia baloons": "Hot-air <em>balloons</em> above <em>Cappadocia</em>",
    "hedghog": "<em>Hedgehog</em> among autumn leaves",
    "kolner dom": "<em>Kölner</em> <em>Dom</em> im Nebel",
    "strassenban": "<em>Straßenbahn</em> im Schneegestöber",
    "chateu chambor": "<em>Château</em> de <em>Chambord</em> au printemps",
    "atardecr sevila": "<em>Atardecer</em> en <em>Sevilla</em>",
    "nino perro": "<em>Niño</em> con su <em>perro</em> en la playa",
    "krakowe": "Rynek w <em>Krakowie</em> o świcie",
    "halaszbastia": "<em>Halászbástya</em> Budapest felett",
    "istambul": "<em>İstanbul</em> Boğazı&#x27;nda vapur",
    "smorebrod": "<em>Smørrebrød</em> på et blåt bord",
    "красная плошадь": "<em>Красная</em> <em>площадь</em> зимой",
    "каштаны": "Київські <em>каштани</em> навесні",
    "ΣΑΝΤΟΡΙΝΙ": "Ηλιοβασίλεμα στη <em>Σαντορίνη</em>",
    "قهوه عربيه": "<em>قهوة</em> <em>عربية</em> مع التمر",
    "शूर्योदय": "ताज महल <em>सूर्योदय</em> के समय",
    "שקיעא": "<em>שקיעה</em> בים המלח",
    "ha lomg": "Vịnh <em>Hạ</em> <em>Long</em> trong sương mù",
}
"""What people type, and the title that they mean, as the first hit shows it."""

WITHOUT_SPACES = {
    "富士山": "富士山と桜",
    "東京": "雨の東京タワー",
    "长城": "雪中的长城",
    "서울": "서울의 밤거리",
    "วัดพระแก้ว": "วัดพระแก้วยามเช้า",
}
"""Scripts that put no spaces between words, or glue endings to them: what is typed, and the title that holds it."""


@pytest.fixture(scope="module")
def images(dynamodb_local: DynamoDBLocal) -> Iterator[Up]:
    """`dynalens up` on the example's own file, over the table that seed.py made; it has copied the table."""
    said = seed("images", "--endpoint-url", dynamodb_local.endpoint_url)
    assert said == f"{len(LIBRARY)} images are in the table {TABLE}.\n"
    with up_on("images", dynamodb_local.endpoint_url) as up:
        up.start()
        observed(up.is_ready)
        yield up
        assert up.end() == EXIT_OK
    dynamodb_local.client("dynamodb").delete_table(TableName=TABLE)


def found(up: Up, query: str, **parameters: str) -> list[dict[str, Any]]:
    """Search, and give the hits, best first."""
    answer = up.client.get("/api/v1/collections/images/search", params={"q": query, "highlight": "true", **parameters})
    assert answer.is_success, answer.text
    return list(answer.json()["hits"])


def unmarked(fragments: list[str]) -> str:
    return "".join(fragments).replace("<em>", "").replace("</em>", "")


@pytest.mark.parametrize(("typed", "meant"), MISSPELT.items())
def test_a_misspelt_name_finds_the_image_first_and_shows_where(images: Up, typed: str, meant: str) -> None:
    first = found(images, typed)[0]
    assert first["highlight"]["title"] == [meant]


@pytest.mark.parametrize(("typed", "title"), WITHOUT_SPACES.items())
def test_a_name_is_found_within_a_text_without_spaces(images: Up, typed: str, title: str) -> None:
    first = found(images, typed)[0]
    assert first["document"]["title"] == title
    [fragment] = first["highlight"]["title"]
    assert unmarked([fragment]) == title
    assert "<em>" in fragment


def test_what_has_more_of_the_words_comes_first_then_whole_ones(images: Up) -> None:
    towers = [hit["document"]["title"] for hit in found(images, "tower bridge")]
    assert towers[0] == "Tower Bridge opens for a tall ship"
    assert {"The Eiffel Tower at dusk", "Golden Gate Bridge in the fog"} <= set(towers[1:])
    assert [hit["document"]["title"] for hit in found(images, "fish")] == [
        "Kingfisher with a small silver fish",
        "Sunrise over the fishing harbour",
    ]


def test_the_commands_of_the_page_find_what_they_are_for(images: Up) -> None:
    lines = commands("images", "dynalens search")
    assert len(lines) == 6
    for line in lines:
        arguments = shlex.split(line)[1:]
        first = dynalens(images, *arguments).splitlines()[2]
        meant = MISSPELT.get(arguments[2]) or WITHOUT_SPACES[arguments[2]]
        assert f"title: {unmarked([meant])}" in first


def test_the_request_of_the_page_is_answered_as_it_says(images: Up) -> None:
    [line] = commands("images", "curl")
    image, highlight = (json.loads(block) for block in blocks("images", "json"))
    first = curl(images, line).json()["hits"][0]
    assert (first["document"], first["highlight"]) == (image, highlight)


def test_the_program_of_the_page_finds_it(images: Up) -> None:
    [program] = blocks("images", "python")
    assert ADDRESS in program
    said = io.StringIO()
    with redirect_stdout(said):
        exec(program.replace(ADDRESS, address_of(images)), {})  # noqa: S102 - what the page tells a reader to run
    assert said.getvalue().splitlines()[0] == (
        "https://images.example.com/01.jpg The <em>Eiffel</em> <em>Tower</em> at dusk"
    )


def test_the_index_follows_the_table(images: Up, dynamodb_local: DynamoDBLocal) -> None:
    client = dynamodb_local.client("dynamodb")
    client.put_item(
        TableName=TABLE,
        Item={
            "id": {"S": "image-99"},
            "title": {"S": "A walrus on an <ice> floe"},
            "imageUrl": {"S": "https://images.example.com/99.jpg"},
        },
    )
    observed(lambda: found(images, "wallrus"))
    assert found(images, "wallrus")[0]["highlight"] == {"title": ["A <em>walrus</em> on an &lt;ice&gt; floe"]}
    assert "title: A walrus on an <ice> floe" in dynalens(images, "search", "images", "wallrus")
    client.delete_item(TableName=TABLE, Key={"id": {"S": "image-99"}})
    observed(lambda: not found(images, "wallrus"))
    with opensearch(images) as found_by:
        assert found_by.count(index="images")["count"] == len(LIBRARY)


def test_an_unknown_name_is_said_to_find_nothing(images: Up) -> None:
    assert dynalens(images, "search", "images", "xyzzyplugh") == ""


def test_fields_are_listed_without_sql(images: Up) -> None:
    rows = [row.split() for row in dynalens(images, "fields", "images").splitlines()[2:]]
    assert {tuple(row[:3]) for row in rows} == {
        (name, "string", str(len(LIBRARY))) for name in ("id", "title", "imageUrl")
    }


def test_seeding_needs_an_address_so_that_aws_is_never_filled_by_accident() -> None:
    ended = subprocess.run(
        [sys.executable, EXAMPLES / "images" / "seed.py"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "--endpoint-url" in ended.stderr


def test_the_library_has_the_shape_of_the_scenario() -> None:
    assert len(TITLES) == len(set(TITLES.values())) == len(LIBRARY) >= 60
    assert all(image.keys() == {"id", "title", "imageUrl"} for image in LIBRARY)


def test_the_file_is_right_as_it_stands() -> None:
    config = load(EXAMPLES / "images" / "dynalens.yaml", {})
    assert {name: collection.table for name, collection in config.collections.items()} == {"images": TABLE}
    assert config.targets.search is not None
