# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a classifier of DistilBERT-base's shape, for benchmarks: `python base_model.py DIRECTORY`.

Nothing is downloaded. The weights are drawn from a fixed seed: the model costs what DistilBERT-base costs. So that its
answers mean something, each word's embedding leans to the side on which this repository's labelled sentences use the
word, and the head is fitted to what the network makes of them. The answers are decided as a trained model's are:
a short text by its words, a long one by what most of it says.

Writes base/ (safetensors and tokenizer, for torch), base-int8/ and base-fp32/ (compiled). What is there is kept.
Needs the packages of files/docker/requirements-compiler.txt.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = ROOT / "files" / "model" / "sentences"
VOCABULARY_SIZE = 30_522
PIECES = 7_800
SEED = 30_522
# How far a word's embedding leans, in standard deviations of the drawn embeddings, for log odds of one.
LEAN = 3.0
# How much more attention carries than drawn weights do: as in trained models, the first token then hears the others.
CARRY = 2.0
LABELS = ("NEGATIVE", "POSITIVE")


def main(argv: list[str] | None = None) -> int:
    """Make what is missing. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="where base/, base-int8/ and base-fp32/ go")
    directory = parser.parse_args(argv).directory.resolve()
    source = directory / "base"
    if not (source / "model.safetensors").is_file():
        make(source)
    for name, precision in (("base-int8", "auto"), ("base-fp32", "fp32")):
        if not (directory / name / "compilation.json").is_file():
            compile_model(source, directory / name, precision)
    return 0


def compile_model(source: Path, destination: Path, precision: str) -> None:
    """Compile as a deployer does, in a process of its own."""
    command = [sys.executable, "-m", "compiler", str(source), str(destination), "--task", "text-classification"]
    subprocess.run([*command, "--precision", precision], check=True, cwd=ROOT / "files" / "docker")


def make(directory: Path) -> None:
    """Write config.json, model.safetensors and the tokenizer's files: the same bytes each time."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.path.insert(0, str(ROOT / "files" / "model"))
    import torch
    from corpus import Corpus
    from labelled import parse
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    print(f"Writing {directory} …", flush=True)
    corpus = Corpus(SENTENCES)
    drawn = corpus.sample(6_000, SEED)
    tokenizer = _tokenizer([sentence.text for sentence in drawn], corpus.words())
    dev = SENTENCES.parent / "dev" / "sentences.tsv"
    written = [*corpus.natural, *parse(dev.read_text(encoding="utf-8"), dev.name)]
    labelled = [(sentence.text, sentence.label) for sentence in [*written * 4, *drawn]]

    torch.manual_seed(SEED)
    config = DistilBertConfig(id2label=dict(enumerate(LABELS)), label2id={name: i for i, name in enumerate(LABELS)})
    model = DistilBertForSequenceClassification(config).eval()
    with torch.no_grad():
        embedding = model.distilbert.embeddings.word_embeddings.weight
        direction = torch.randn(config.dim) * config.initializer_range * LEAN
        embedding += _log_odds(tokenizer, labelled).unsqueeze(1) * direction
        for layer in model.distilbert.transformer.layer:
            layer.attention.v_lin.weight *= CARRY
            layer.attention.out_lin.weight *= CARRY
    print("Fitting the head …", flush=True)
    _fit(model, tokenizer, _texts([(sentence.text, sentence.label) for sentence in written], drawn))

    model.save_pretrained(directory)
    (directory / "model.safetensors").chmod(0o644)  # safetensors makes its files readable by their owner only
    _save_tokenizer(tokenizer, directory)


def _tokenizer(sentences: list[str], words: list[str]) -> Tokenizer:
    """BERT's own tokenizer over the corpus' vocabulary, filled up to DistilBERT's size."""
    import wordpiece
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    vocabulary = wordpiece.build(sentences + words * 4, PIECES).get_vocab()
    for number in range(VOCABULARY_SIZE - len(vocabulary)):
        vocabulary[f"[unused{number}]"] = len(vocabulary)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tokenizer


def _save_tokenizer(tokenizer: Tokenizer, directory: Path) -> None:
    """As transformers 4 and 5 both read it."""
    tokenizer.save(str(directory / "tokenizer.json"))
    vocabulary = tokenizer.get_vocab()
    (directory / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n", "utf-8")
    settings: dict[str, Any] = {
        "tokenizer_class": "DistilBertTokenizerFast",
        "do_lower_case": True,
        "model_max_length": 512,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    settings |= {f"{name.lower()}_token": f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def _log_odds(tokenizer: Tokenizer, labelled: list[tuple[str, int]]) -> torch.Tensor:
    """For each token, by how much it speaks for POSITIVE: shape [vocabulary]. Never seen: 0."""
    import torch

    counts: list[Counter[int]] = [Counter(), Counter()]
    for (_, label), encoding in zip(labelled, tokenizer.encode_batch([text for text, _ in labelled]), strict=True):
        counts[label].update(set(encoding.ids))
    odds = torch.zeros(VOCABULARY_SIZE)
    for token in counts[0].keys() | counts[1].keys():
        odds[token] = math.log((counts[1][token] + 0.5) / (counts[0][token] + 0.5))
    return odds.clamp(-3, 3)


def _texts(written: list[tuple[str, int]], drawn: list[Any]) -> list[tuple[str, int]]:
    """Sentences, and paragraphs of 2 to 16 sentences of one label."""
    rng = random.Random(SEED)
    texts = [*written, *((sentence.text, sentence.label) for sentence in drawn[:1_200])]
    by_label = [[text for text, label in written if label == side] for side in (0, 1)]
    for number in range(400):
        count = rng.choice((2, 3, 5, 8, 12, 16))
        texts.append((" ".join(rng.choice(by_label[number % 2]) for _ in range(count)), number % 2))
    return texts


def _fit(model: Any, tokenizer: Tokenizer, texts: list[tuple[str, int]]) -> None:
    """Fit the classifier by logistic regression on what comes out of the pre-classifier."""
    import torch

    labels = torch.tensor([label for _, label in texts], dtype=torch.float32)
    features: torch.Tensor = torch.empty(len(texts), model.config.dim)
    encodings = tokenizer.encode_batch([text for text, _ in texts])
    order = sorted(range(len(texts)), key=lambda index: len(encodings[index]))
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            width = max(len(encodings[index]) for index in batch)
            ids = torch.tensor([encodings[i].ids + [0] * (width - len(encodings[i])) for i in batch])[:, :512]
            states = model.distilbert(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state[:, 0]
            features[batch] = torch.relu(model.pre_classifier(states))
    features = features.clone()
    mean, spread = features.mean(0), features.std(0).clamp(min=1e-6)
    scaled = (features - mean) / spread
    weight, bias = torch.zeros(model.config.dim, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        wrong = torch.nn.functional.binary_cross_entropy_with_logits(scaled @ weight + bias, labels)
        total = wrong + 1e-2 * weight.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    with torch.no_grad():
        logits = scaled @ weight + bias
        right = ((logits > 0) == labels.bool()).float().mean()
        print(
            f"  {right:.1%} of {len(texts)} texts are on their side; the median margin is {logits.abs().median():.1f}."
        )
        # Half of the logit to each side: the difference of the two is what softmax looks at.
        direction = weight / spread / 2
        model.classifier.weight.copy_(torch.stack([-direction, direction]))
        offset = (bias - (weight / spread * mean).sum()) / 2
        model.classifier.bias.copy_(torch.cat([-offset, offset]))


if __name__ == "__main__":
    sys.exit(main())
