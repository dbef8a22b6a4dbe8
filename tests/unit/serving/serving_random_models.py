# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tiny models of real architectures with random weights, and compiles their graphs. Needs torch.

Random weights are enough: what is compared is our reading of the model with transformers' own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

MAX_LENGTH = 48

CORPUS = [
    "My name is Wolfgang and I live in Berlin, near the river Spree.",
    "Angela Merkel met Emmanuel Macron in Paris on Tuesday; they didn't agree.",
    "The quick brown fox jumps over the lazy dog, and the dog isn't amused!",
    "Größe, naïveté und Überraschung: das Café am Ufer ist geöffnet.",
    "Is Microsoft's office in New York? No, it's in Redmond, Washington.",
    "unbelievable, unbelievably, believing, believers and believability",
    "東京は日本の首都です。 Москва — столица России.",
]

NER = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
NLI = ("contradiction", "neutral", "entailment")
EMOTIONS = ("anger", "fear", "joy", "love", "sadness")

TEXTS = [
    *CORPUS,
    "",
    " ",
    "I love dogs.",
    "word",
    "Wolfgang  lives\tin\n\nNew   York, U.S.A. (since 2019)",
    "🐕 emoji 👩‍👩‍👧 and a zero\u200bwidth \u202eright-to-left\u202c mark",
    "e\u0301 combining, ﬁ ligature, Ⅳ numeral, ｆｕｌｌ width",
    "don't can't won't it's they're I've I'm 'quoted'",
    "supercalifragilisticexpialidocious",
    "中文没有空格所以每个字都是一个词",
    "a\x00b\x7fc",
    "[UNK] and <unk> and [SEP] in a text",
    "long " * 200,
    " ".join(CORPUS),
]


@dataclass(frozen=True)
class Architecture:
    """Which classes of transformers a model is made of, and the kind of tokenizer it comes with."""

    prefix: str
    tokenizer: str
    sizes: dict[str, Any]


_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "initializer_range": 0.4,
}
ARCHITECTURES = {
    "bert": Architecture("Bert", "wordpiece", _SIZES),
    "distilbert": Architecture(
        "DistilBert",
        "wordpiece",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "initializer_range": 0.4},
    ),
    "roberta": Architecture("Roberta", "bpe", _SIZES),
    "xlm-roberta": Architecture("XLMRoberta", "unigram", _SIZES),
    "mpnet": Architecture("MPNet", "wordpiece", _SIZES),
    "electra": Architecture("Electra", "wordpiece", {**_SIZES, "embedding_size": 16}),
    "albert": Architecture("Albert", "unigram", {**_SIZES, "embedding_size": 16}),
}

# Prefix of the class for each task, and how the graph is compiled.
HEADS = {
    "text-classification": "ForSequenceClassification",
    "zero-shot-classification": "ForSequenceClassification",
    "token-classification": "ForTokenClassification",
    "fill-mask": "ForMaskedLM",
    "feature-extraction": "Model",
}


def write_random_model(
    directory: Path, architecture: str, task: str, labels: tuple[str, ...] = (), **config: Any
) -> Path:
    """Write safetensors, config, tokenizer and the compiled graph of a random model; gives the directory back."""
    import torch
    import transformers

    made = ARCHITECTURES[architecture]
    tokenizer = _tokenizer(made.tokenizer, architecture)
    # Positions of these begin behind the padding's number: of the tokenizer's, or of MPNet's own, which is 1.
    offset = {"roberta": 2, "xlm-roberta": 2, "mpnet": 2}.get(architecture, 0)
    torch.manual_seed(len(architecture) + len(task))
    settings: dict[str, Any] = {
        **made.sizes,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": MAX_LENGTH + offset,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        **config,
    }
    if labels:
        settings["id2label"] = dict(enumerate(labels))
        settings["label2id"] = {label: index for index, label in enumerate(labels)}
    model_config = getattr(transformers, f"{made.prefix}Config")(**settings)
    head = HEADS[task]
    if architecture == "electra" and head == "Model":
        model = transformers.ElectraModel(model_config)
    else:
        model = getattr(transformers, made.prefix + head)(model_config)
    model.eval()
    _settle(model)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    compile_graph(directory, task)
    return directory


def compile_graph(directory: Path, task: str) -> None:
    """Write model.onnx beside the weights, with the project's compiler, in float32."""
    import onnx
    import transformers
    from compiler import export, pooling, tasks

    found = tasks.find(task)
    model = getattr(transformers, found.auto_class).from_pretrained(directory).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    graph = export.export(model, tokenizer, found, pooling.load(directory))
    onnx.save(graph, str(directory / "model.onnx"))


def write_sentence_transformer(directory: Path, *, pooling: str = "mean", normalise: bool = True) -> None:
    """Turn a directory with a plain model into one in the layout of sentence-transformers."""
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalise else [])]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": index, "name": str(index), "path": paths[index], "type": f"sentence_transformers.models.{kind}"}
        for index, kind in enumerate(kinds)
    ]
    (directory / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    (directory / "1_Pooling").mkdir()
    names = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len": "mean_sqrt_len_tokens"}
    config = {f"pooling_mode_{names[mode]}": mode == pooling for mode in names}
    (directory / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 32, **config}), encoding="utf-8"
    )
    (directory / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": MAX_LENGTH - 16, "do_lower_case": False}), encoding="utf-8"
    )


def _settle(model: Any) -> None:
    """Give every parameter some spread: a fresh model's biases are all nothing, and its labels nearly tie."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and "norm" not in name.lower():
                parameter.normal_(0, 0.3)


def _tokenizer(kind: str, architecture: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    makers = {"wordpiece": _wordpiece, "bpe": _bpe, "unigram": _unigram}
    tokenizer, names = makers[kind]()
    pair = architecture in ("bert", "electra", "albert")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", *(["token_type_ids"] if pair else []), "attention_mask"],
        **names,
    )


def _wordpiece() -> tuple[Tokenizer, dict[str, Any]]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=specials)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer, {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}


def _bpe() -> tuple[Tokenizer, dict[str, Any]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    # RoBERTa's mask takes the blank before it along.
    mask = AddedToken("<mask>", lstrip=True, special=True)
    tokenizer.add_special_tokens([mask])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer, _angled(mask)


def _unigram() -> tuple[Tokenizer, dict[str, Any]]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    mask = AddedToken("<mask>", lstrip=True, special=True)
    tokenizer.add_special_tokens([mask])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer, _angled(mask)


def _angled(mask: AddedToken) -> dict[str, Any]:
    return {
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": mask,
    }
