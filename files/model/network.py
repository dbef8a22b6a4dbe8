# SPDX-License-Identifier: GPL-3.0-or-later
"""The network and its training: a small DistilBertForSequenceClassification, from random weights."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from labelled import LabelledSentence
from tokenizers import Tokenizer
from transformers import DistilBertConfig, DistilBertForSequenceClassification
from wordpiece import MAX_TOKENS, SPECIAL_TOKENS

PAD = SPECIAL_TOKENS.index("[PAD]")


@dataclass(frozen=True)
class Recipe:
    """The sizes and the schedule. ``samples`` counts training sentences, each seen once."""

    dim: int = 112
    hidden_dim: int = 224
    layers: int = 3
    heads: int = 4
    dropout: float = 0.1
    samples: int = 760_000
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    average_decay: float = 0.999
    forget_token: float = 0.02


def build(tokenizer: Tokenizer, recipe: Recipe) -> DistilBertForSequenceClassification:
    """The untrained network for this vocabulary."""
    config = DistilBertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=MAX_TOKENS,
        dim=recipe.dim,
        hidden_dim=recipe.hidden_dim,
        n_layers=recipe.layers,
        n_heads=recipe.heads,
        dropout=recipe.dropout,
        attention_dropout=recipe.dropout,
        seq_classif_dropout=recipe.dropout,
        pad_token_id=PAD,
        id2label={0: "NEGATIVE", 1: "POSITIVE"},
        label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )
    return DistilBertForSequenceClassification(config)


def train(
    model: DistilBertForSequenceClassification,
    tokenizer: Tokenizer,
    samples: list[LabelledSentence],
    recipe: Recipe,
    seed: int,
    report: Callable[[str], None],
) -> DistilBertForSequenceClassification:
    """Train on ``samples`` once through and return the running average of the weights, in evaluation mode.

    ``report`` gets a line of progress now and then.
    """
    batches = list(_batches(tokenizer, samples, recipe.batch_size, random.Random(seed)))  # noqa: S311
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=len(batches), pct_start=0.08, div_factor=20, final_div_factor=100
    )
    average = copy.deepcopy(model)
    average.train(False)
    unknown = SPECIAL_TOKENS.index("[UNK]")
    first_word = len(SPECIAL_TOKENS)
    model.train()
    started, running = time.monotonic(), 0.0
    for step, (ids, labels) in enumerate(batches, start=1):
        forgotten = (torch.rand(ids.shape) < recipe.forget_token) & (ids >= first_word)
        mask = (ids != PAD).long()
        logits = model(input_ids=ids.masked_fill(forgotten, unknown), attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        decay = min(recipe.average_decay, step / (step + 10))
        with torch.no_grad():
            for kept, current in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(current, 1 - decay)
        running += (loss.item() - running) * (0.01 if step > 100 else 1 / step)
        if step % 100 == 0 or step == len(batches):
            elapsed = time.monotonic() - started
            left = elapsed / step * (len(batches) - step)
            report(f"  batch {step} of {len(batches)}, loss {running:.3f}, {elapsed:.0f} s, about {left:.0f} s left")
    return average


def logits(model: DistilBertForSequenceClassification, tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """The model's logits for ``texts``: float32, one row a text, one column a label."""
    ids = _pad([encoding.ids for encoding in tokenizer.encode_batch(texts)])
    with torch.inference_mode():
        out: torch.Tensor = model(input_ids=ids, attention_mask=(ids != PAD).long()).logits
    return out


def _batches(
    tokenizer: Tokenizer, samples: list[LabelledSentence], size: int, rng: random.Random
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of sentences of like length (little padding), in random order."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch([sample.text for sample in samples])]
    chunks: list[list[int]] = []
    for start in range(0, len(samples), size * 100):
        by_length = sorted(range(start, min(start + size * 100, len(samples))), key=lambda i: len(ids[i]))
        block = [by_length[i : i + size] for i in range(0, len(by_length), size)]
        rng.shuffle(block)
        chunks.extend(block)
    for chunk in chunks:
        yield _pad([ids[i] for i in chunk]), torch.tensor([samples[i].label for i in chunk])


def _pad(rows: list[list[int]]) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
