#!/usr/bin/env python3
"""Writes assets/prices.json anew from LiteLLM's list of model prices (MIT, Copyright (c) 2023 Berri AI).

    ./tests/run prices           from the newest release on PyPI
    assets/prices.py WHEEL       from a wheel that is there

Of its several thousand entries those are kept that a provider sells itself, for text; of each the list price in
dollars per million tokens: [input, cache read, cache write for minutes, cache write for an hour, output], and the
same again for prompts above a number of tokens. What a provider does not price apart costs what input costs.
"""
import datetime, glob, json, os, re, subprocess, sys, tempfile, zipfile

PROVIDERS = {
    "anthropic", "openai", "gemini", "vertex_ai-language-models", "xai", "deepseek", "mistral", "moonshot",
    "dashscope", "zai", "minimax", "cohere_chat", "codestral",
}
MODES = {"chat", "responses"}
LIST = "litellm/model_prices_and_context_window_backup.json"
FIELDS = [
    ("input_cost_per_token", None), ("cache_read_input_token_cost", 0),
    ("cache_creation_input_token_cost", 0), ("cache_creation_input_token_cost_above_1hr", 2),
    ("output_cost_per_token", None),
]


def rates(entry, above=""):
    """The five prices; None without the two that every model has. `above` is the suffix of a tier."""
    found = []
    for field, otherwise in FIELDS:
        price = entry.get(field + above)
        if price is None and above:
            price = entry.get(field) if field + above in entry or otherwise is None else None
        if price is None:
            if otherwise is None:
                return None
            found.append(found[otherwise])
        else:
            found.append(round(price * 1e6, 6))
    return found


def model(entry):
    """A model's prices: the base first, then [above, ...prices] for each tier."""
    base = rates(entry)
    if not base or entry.get("mode") not in MODES or entry.get("litellm_provider") not in PROVIDERS:
        return None
    tiers = sorted({int(m[1]) for key in entry if (m := re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens", key))})
    return [base] + [[above * 1000] + rates(entry, f"_above_{above}k_tokens") for above in tiers]


def short(number):
    return int(number) if number == int(number) else number


def main():
    with tempfile.TemporaryDirectory() as place:
        wheel = sys.argv[1] if len(sys.argv) > 1 else None
        if not wheel:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                            "--dest", place, "litellm"], check=True)
            wheel = glob.glob(f"{place}/litellm-*.whl")[0]
        with zipfile.ZipFile(wheel) as archive:
            entries = json.loads(archive.read(LIST))
            dated = max(info.date_time for info in archive.infolist())[:3]
    models = {}
    # Names that carry their provider come last: a name that stands alone is the provider's own.
    for name in sorted(entries, key=lambda name: ("/" in name, name)):
        prices = model(entries[name])
        if prices:
            models.setdefault(name.split("/")[-1].lower(), prices)
    version = os.path.basename(wheel).split("-")[1]
    today = datetime.date(*dated) if dated > (1980, 12, 31) else datetime.date.today()
    lines = [
        '"source": "LiteLLM ' + version + ', model_prices_and_context_window.json, MIT License, Copyright (c) 2023 Berri AI",',
        f'"dated": "{today}",',
        '"models": {',
    ]
    for number, (name, prices) in enumerate(sorted(models.items())):
        text = json.dumps([[short(price) for price in group] for group in prices], separators=(",", ":"))
        lines.append(f"{json.dumps(name)}:{text}" + ("," if number + 1 < len(models) else ""))
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "prices.json")
    with open(target, "w") as file:
        file.write("{\n" + "\n".join(lines) + "\n}\n}\n")
    print(f"{len(models)} models of LiteLLM {version}, dated {today}, {os.path.getsize(target)} bytes")


main()
