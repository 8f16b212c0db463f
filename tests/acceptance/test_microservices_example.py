"""examples/microservices from end to end: five tables, ten collections, and each item where its TYPE says."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from dynalens.config import load
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

EXAMPLE = Path(__file__).parents[2] / "examples" / "microservices"
ITEMS = 60

COLLECTIONS: Mapping[str, Mapping[str, str]] = {
    "Customers": {"customer": "customers", "company": "companies"},
    "Catalogue": {"product": "products", "default": "catalogue_rest"},
    "Orders": {"order": "orders", "orderline": "order_lines"},
    "Warehouse": {"stock": "stock", "movement": "movements"},
    "Support": {"ticket": "tickets", "default": "support_rest"},
}
"""The collections of each table by item type: what the example's page promises."""

KEYS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "Customers": ({"customerId": {"S": "c-new"}}, "c-new"),
    "Catalogue": ({"sku": {"S": "N:1"}}, "~N%3A1"),
    "Orders": ({"orderId": {"N": "7.0"}, "line": {"N": "12"}}, "N:7|N:12"),
    "Warehouse": ({"place": {"S": "A|7"}, "at": {"N": "-1"}}, "S:A\\|7|N:-1"),
    "Support": ({"ticketId": {"N": "99999999999999999999999999999999999999"}}, f"N:{'9' * 38}"),
}
"""A key in each table that the example does not use, and the id that it makes."""


@pytest.fixture(scope="module")
def tables(dynamodb_local: DynamoDBLocal) -> Iterator[Any]:
    """A client of the tables that seed.py creates, filled by it."""
    seed = subprocess.run(
        [sys.executable, EXAMPLE / "seed.py", "--endpoint-url", dynamodb_local.endpoint_url, "--items", str(ITEMS)],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    client = dynamodb_local.client("dynamodb")
    try:
        assert seed.stdout == "".join(f"{ITEMS} items are in the table {table}.\n" for table in COLLECTIONS), (
            seed.stderr
        )
        yield client
    finally:
        for table in set(client.list_tables()["TableNames"]) & COLLECTIONS.keys():
            client.delete_table(TableName=table)


@pytest.fixture(scope="module")
def shop(tables: object, dynamodb_local: DynamoDBLocal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`dynalens up` on the example's own file, but for the address of DynamoDB; it has copied the tables."""
    assert tables
    running = Up(tmp_path_factory.mktemp("shop"), settings(dynamodb_local))
    try:
        running.start()
        observed(running.is_ready)
        yield running
        assert running.end() == 0
    finally:
        running.stop()


def settings(dynamodb_local: DynamoDBLocal) -> dict[str, Any]:
    """Give the example's own file, but for the address of DynamoDB."""
    read: dict[str, Any] = yaml.safe_load((EXAMPLE / "dynalens.yaml").read_text())
    read["source"]["endpoint_url"] = dynamodb_local.endpoint_url
    return read


def example_module() -> Any:  # noqa: ANN401 - a script that is imported from its path
    spec = importlib.util.spec_from_file_location("microservices_seed", EXAMPLE / "seed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks its module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def home(table: str, item: Mapping[str, Any]) -> str | None:
    """Give the collection that an item, in DynamoDB JSON, belongs to."""
    by_type = COLLECTIONS[table]
    named = item.get("TYPE", {}).get("S", "").lower()
    return by_type.get("default") if named == "default" else by_type.get(named, by_type.get("default"))


def contents(tables: Any) -> dict[str, int]:  # noqa: ANN401 - a boto3 client
    """Count from the tables what each collection must hold."""
    counts = {collection: 0 for by_type in COLLECTIONS.values() for collection in by_type.values()}
    for table in COLLECTIONS:
        for item in tables.scan(TableName=table, ConsistentRead=True)["Items"]:
            if collection := home(table, item):
                counts[collection] += 1
    return counts


def in_documents(shop: Up, collection: str, document_id: str) -> bool:
    answer = shop.client.get(f"/api/v1/collections/{collection}/documents/{quote(document_id, safe='')}")
    assert answer.status_code in {200, 404}, answer.text
    return answer.status_code == 200


def in_sql(shop: Up, collection: str, document_id: str) -> bool:
    return document_id in ids(shop, collection)


def ids(shop: Up, collection: str) -> list[str]:
    return [row[0] for row in shop.sql(f"SELECT _id FROM {collection}")]  # noqa: S608 - a name of the example's file


def in_search(shop: Up, collection: str, document_id: str) -> bool:
    answer = shop.client.post(
        f"/api/v1/collections/{collection}/search", json={"query": {"ids": {"values": [document_id]}}}
    )
    assert answer.is_success, answer.text
    return [hit["_id"] for hit in answer.json()["hits"]["hits"]] == [document_id]


ROUTES = {"documents": in_documents, "sql": in_sql, "search": in_search}


Holders = Callable[[str, str], set[str]]


@pytest.fixture(params=ROUTES)
def holders(request: pytest.FixtureRequest, shop: Up) -> Holders:
    """Tell which collections of a table hold a document, asked by one of the ways that they can be asked."""
    ask = ROUTES[request.param]

    def held(table: str, document_id: str) -> set[str]:
        return {collection for collection in COLLECTIONS[table].values() if ask(shop, collection, document_id)}

    return held


def is_only_in(collection: str, holders: Holders, table: str, document_id: str) -> bool:
    return holders(table, document_id) == {collection}


def test_ten_collections_hold_what_the_tables_held_before(shop: Up, tables: Any) -> None:  # noqa: ANN401 - a boto3 client
    expected = contents(tables)
    assert all(expected.values())
    observed(lambda: {name: len(ids(shop, name)) for name in expected} == expected)
    assert {found["name"] for found in shop.get("/api/v1/collections")["collections"]} == expected.keys()
    assert {status["phase"] for status in shop.get("/api/v1/status")["collections"]} == {"streaming"}


@pytest.mark.parametrize("table", COLLECTIONS)
def test_an_item_moves_with_its_type_and_is_gone_with_it(
    table: str,
    tables: Any,  # noqa: ANN401 - a boto3 client
    holders: Holders,
) -> None:
    (key, document_id), by_type = KEYS[table], COLLECTIONS[table]
    for item_type in (*by_type, *by_type):
        # "default" as a type is an unknown one; all are spelt as no collection spells them.
        tables.put_item(TableName=table, Item={**key, "TYPE": {"S": item_type.title()}})
        observed(partial(is_only_in, by_type[item_type], holders, table, document_id))
    tables.delete_item(TableName=table, Key=key)
    observed(lambda: not holders(table, document_id))


@pytest.mark.parametrize("typed", [None, {"N": "1"}, {"S": "unknown"}, {"B": b"ticket"}, {"SS": ["ticket"]}])
@pytest.mark.parametrize(("table", "known"), [("Catalogue", "Product"), ("Support", "Ticket")])
def test_what_names_no_type_of_the_table_goes_to_default(
    shop: Up,
    tables: Any,  # noqa: ANN401 - a boto3 client
    table: str,
    known: str,
    typed: Mapping[str, Any] | None,
) -> None:
    (key, document_id), by_type = KEYS[table], COLLECTIONS[table]
    tables.put_item(TableName=table, Item={**key, "TYPE": {"S": known}})
    observed(lambda: in_documents(shop, by_type[known.lower()], document_id))
    tables.put_item(TableName=table, Item={**key, **({"TYPE": typed} if typed else {})})
    observed(lambda: in_documents(shop, by_type["default"], document_id))
    observed(lambda: not in_documents(shop, by_type[known.lower()], document_id))
    tables.delete_item(TableName=table, Key=key)
    observed(lambda: not in_documents(shop, by_type["default"], document_id))


def test_without_a_default_collection_it_goes_nowhere(shop: Up, tables: Any) -> None:  # noqa: ANN401 - a boto3 client
    # In base64, as binary stands in a document, the bytes read "customer".
    odd: list[Any] = [None, {"N": "1"}, {"S": "unknown"}, {"B": b64decode("customer")}, {"SS": ["customer"]}]
    types = {f"odd-{number}": typed for number, typed in enumerate(odd)}
    types |= {"last-customer": {"S": "Customer"}, "last-company": {"S": "Company"}}
    for name, typed in types.items():
        item = {"customerId": {"S": name}, **({"TYPE": typed} if typed else {})}
        tables.put_item(TableName="Customers", Item=item)
    # The table's one shard is read in order: once the last item of a collection is seen, so is all before it.
    observed(lambda: in_documents(shop, "customers", "last-customer"))
    observed(lambda: in_documents(shop, "companies", "last-company"))
    held = {*ids(shop, "customers"), *ids(shop, "companies")}
    for name in types:
        tables.delete_item(TableName="Customers", Key={"customerId": {"S": name}})
    assert held & types.keys() == {"last-customer", "last-company"}
    observed(lambda: not in_documents(shop, "customers", "last-customer"))
    observed(lambda: not in_documents(shop, "companies", "last-company"))


def test_a_new_item_type_takes_its_items_out_of_default(
    tables: object, dynamodb_local: DynamoDBLocal, tmp_path: Path
) -> None:
    assert tables
    before = settings(dynamodb_local)
    before["collections"] = {name: before["collections"][name] for name in ("tickets", "support_rest")}
    [added] = re.findall(r"^  surveys: .*$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    after = {**before, "collections": {**before["collections"], **yaml.safe_load(added)}}
    surveys = [f"N:{number}" for number in range(5, ITEMS, 6)]
    rest: list[list[str]] = []
    for file in (before, after):
        running = Up(tmp_path, file)
        try:
            running.start()
            observed(running.is_ready)
            rest.append(ids(running, "support_rest"))
            if file is after:
                assert sorted(ids(running, "surveys")) == sorted(surveys)
            assert running.end() == 0
        finally:
            running.stop()
    assert sorted(rest[0]) == sorted([*surveys, *rest[1]])


def test_typed_attributes_become_plain_json(shop: Up) -> None:
    products = example_module().items(example_module().SERVICES[1], 1)
    [expected] = [{**product, "price": float(product["price"])} for product in products]
    document = shop.get("/api/v1/collections/products/documents/SKU-0000")["document"]
    assert {**document, "tags": set(document["tags"])} == expected
    line = shop.get("/api/v1/collections/order_lines/documents/N:1000%7CN:2")["document"]
    assert (line["orderId"], line["line"], line["TYPE"]) == (1000, 2, "orderLine")


def test_the_queries_of_the_page_answer(shop: Up) -> None:
    queries = re.findall(r'^dynalens sql "(.*)"$', (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    assert len(queries) == 2
    for query in queries:
        rows = shop.sql(query)
        assert rows
        assert all(name and count > 0 for name, count in rows)


def test_the_searches_of_the_page_find_something(shop: Up) -> None:
    commands = re.findall(r"^dynalens search (.*)$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        answer = subprocess.run(
            [
                sys.executable,
                "-m",
                "dynalens",
                "search",
                *shlex.split(command),
                "--url",
                str(shop.client.base_url),
                "--json",
            ],
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["hits"], command


def test_one_search_answers_for_all_collections(shop: Up, tables: Any) -> None:  # noqa: ANN401 - a boto3 client
    expected = contents(tables)
    observed(lambda: {name: shop.get(f"/{name}/_count")["count"] for name in expected} == expected)
    found = shop.get("/api/v1/collections/products/search?q=wol%20scraf&highlight=true")
    assert found["hits"]
    assert all(hit["document"]["TYPE"] == "product" for hit in found["hits"])
    assert "scarf" in found["hits"][0]["document"]["title"]
    assert "<em>" in str(found["hits"][0]["highlight"])


def test_maps_are_searched_by_path(shop: Up, tables: Any) -> None:  # noqa: ANN401 - a boto3 client
    items = tables.scan(TableName="Customers", ConsistentRead=True)["Items"]
    homes = {item["customerId"]["S"]: home("Customers", item) for item in items}
    cities = {
        item["customerId"]["S"]: item.get("address", {"M": {"city": {"S": ""}}})["M"]["city"]["S"] for item in items
    }
    for collection in ("customers", "companies"):
        expected = {name for name, city in cities.items() if city == "Osaka" and homes[name] == collection}
        found = shop.get(f"/api/v1/collections/{collection}/search?q=osaka&fields=address.city&size=100")
        assert {hit["id"] for hit in found["hits"]} == expected
    assert shop.client.post("/tickets/_search", json={"query": {"match": {"from.name": "dorothy"}}}).json()["hits"][
        "hits"
    ]


def test_the_same_seed_makes_the_same_items() -> None:
    seed = example_module()
    for service in seed.SERVICES:
        assert list(seed.items(service, 20, seed=7)) == list(seed.items(service, 20, seed=7))
        assert list(seed.items(service, 20, seed=7)) != list(seed.items(service, 20, seed=8))


def test_the_file_and_the_page_say_the_same() -> None:
    collections = load(EXAMPLE / "dynalens.yaml", {}).collections
    page = (EXAMPLE / "README.md").read_text()
    found: dict[str, dict[str | None, str]] = {}
    for name, collection in collections.items():
        found.setdefault(collection.table, {})[collection.item_type] = name
        assert f"`{name}`" in page
    assert found == COLLECTIONS
    assert {service.table: tuple(service.key) for service in example_module().SERVICES} == {
        table: tuple(key) for table, (key, _) in KEYS.items()
    }
