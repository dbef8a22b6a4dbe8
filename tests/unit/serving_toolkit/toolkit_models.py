# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny real models, one for each task: the architectures of transformers with random weights and a few words.

Weights start wide (initializer_range), so that labels and tokens are told apart by more than rounding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from toolkit_media import WORDS

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = {word: index for index, word in enumerate([*SPECIAL, *WORDS, ".", "?", ","])}
MAX_LENGTH = 48
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system message') }}"
    "{% endif %}{{ message['role'] }} : {{ message['content'] }} . {% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)
ENCODER = {
    "vocab_size": len(VOCABULARY),
    "max_position_embeddings": MAX_LENGTH,
    "initializer_range": 0.5,
    "pad_token_id": 0,
}
DISTILBERT = {**ENCODER, "n_layers": 2, "n_heads": 2, "dim": 16, "hidden_dim": 32}
BERT = {
    **ENCODER,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 32,
}


def labels(*names: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


def tokenizer(**options: Any) -> transformers.PreTrainedTokenizerFast:
    """A tokenizer of whole words, with [CLS] and [SEP] around a text."""
    words = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", VOCABULARY["[CLS]"]), ("[SEP]", VOCABULARY["[SEP]"])],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
        **options,
    )


def save(model: Any, directory: Path, *others: Any) -> Path:
    for part in (model.eval(), *others):
        part.save_pretrained(directory)
    return directory


def write(kind: str, directory: Path) -> Path:
    """Write the model of a kind (see MODELS) and give its directory."""
    torch.manual_seed(7)
    return MODELS[kind](directory)


def text_classification(directory: Path) -> Path:
    config = transformers.DistilBertConfig(**DISTILBERT, **labels("NEGATIVE", "NEUTRAL", "POSITIVE"))
    return save(transformers.DistilBertForSequenceClassification(config), directory, tokenizer())


def regression(directory: Path) -> Path:
    config = transformers.DistilBertConfig(**DISTILBERT, num_labels=1)
    return save(transformers.DistilBertForSequenceClassification(config), directory, tokenizer())


def token_classification(directory: Path) -> Path:
    config = transformers.DistilBertConfig(**DISTILBERT, **labels("O", "B-LOC", "I-LOC", "B-PER", "I-PER"))
    return save(transformers.DistilBertForTokenClassification(config), directory, tokenizer())


def zero_shot(directory: Path) -> Path:
    config = transformers.DistilBertConfig(**DISTILBERT, **labels("contradiction", "neutral", "entailment"))
    return save(transformers.DistilBertForSequenceClassification(config), directory, tokenizer())


def feature_extraction(directory: Path) -> Path:
    return save(transformers.DistilBertModel(transformers.DistilBertConfig(**DISTILBERT)), directory, tokenizer())


def sentence_embedding(directory: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    feature_extraction(directory / "plain")
    words = Transformer(str(directory / "plain"), max_seq_length=MAX_LENGTH)
    pooling = Pooling(16, pooling_mode="mean")
    SentenceTransformer(modules=[words, pooling, Normalize()], device="cpu").save(str(directory / "model"))
    return directory / "model"


def fill_mask(directory: Path) -> Path:
    return save(transformers.BertForMaskedLM(transformers.BertConfig(**BERT)), directory, tokenizer())


def question_answering(directory: Path) -> Path:
    return save(transformers.BertForQuestionAnswering(transformers.BertConfig(**BERT)), directory, tokenizer())


def text_to_text(directory: Path) -> Path:
    config = transformers.T5Config(
        vocab_size=len(VOCABULARY),
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        initializer_factor=5.0,
        pad_token_id=0,
        eos_token_id=VOCABULARY["[SEP]"],
        decoder_start_token_id=0,
    )
    return save(transformers.T5ForConditionalGeneration(config), directory, tokenizer(eos_token="[SEP]"))


def text_generation(directory: Path) -> Path:
    """A model with a tokenizer of bytes and of whole words, as GPT-2's is. It generates whole words only."""
    from tokenizers import decoders, trainers

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000, special_tokens=["[END]"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    words.train_from_iterator([" ".join(WORDS)] * 10, trainer)
    whole = [words.token_to_id(f"Ġ{word}") for word in WORDS]
    end, size = words.token_to_id("[END]"), words.get_vocab_size()
    config = transformers.GPT2Config(
        vocab_size=size,
        n_positions=MAX_LENGTH,
        n_embd=16,
        n_layer=2,
        n_head=2,
        initializer_range=0.5,
        bos_token_id=end,
        eos_token_id=end,
    )
    model = transformers.GPT2LMHeadModel(config)
    model.generation_config.suppress_tokens = sorted(set(range(size)) - {*whole, end})
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        eos_token="[END]",
        bos_token="[END]",
        add_prefix_space=True,
        model_max_length=MAX_LENGTH,
    )
    fast.chat_template = CHAT_TEMPLATE
    return save(model, directory, fast)


def image_classification(directory: Path) -> Path:
    config = transformers.ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
        **labels("cat", "dog", "tree", "river", "house", "car"),
    )
    processor = transformers.ViTImageProcessor(size={"height": 16, "width": 16})
    return save(transformers.ViTForImageClassification(config), directory, processor)


def speech_recognition(directory: Path) -> Path:
    letters = {letter: index for index, letter in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefgh"])}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "vocab.json").write_text(json.dumps(letters), encoding="utf-8")
    config = transformers.Wav2Vec2Config(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16, 16, 16),
        conv_stride=(10, 8, 4),
        conv_kernel=(10, 8, 4),
        num_feat_extract_layers=3,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.5,
        pad_token_id=0,
    )
    return save(
        transformers.Wav2Vec2ForCTC(config),
        directory,
        transformers.Wav2Vec2CTCTokenizer(str(directory / "vocab.json")),
        transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000, return_attention_mask=False),
    )


def object_detection(directory: Path) -> Path:
    config = transformers.YolosConfig(
        image_size=[16, 16],
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_detection_tokens=3,
        initializer_range=0.5,
        **labels("cat", "dog"),
    )
    processor = transformers.YolosImageProcessor(size={"height": 16, "width": 16})
    return save(transformers.YolosForObjectDetection(config), directory, processor)


MODELS = {
    "text-classification": text_classification,
    "regression": regression,
    "token-classification": token_classification,
    "zero-shot-classification": zero_shot,
    "feature-extraction": feature_extraction,
    "sentence-embedding": sentence_embedding,
    "fill-mask": fill_mask,
    "question-answering": question_answering,
    "text2text-generation": text_to_text,
    "text-generation": text_generation,
    "image-classification": image_classification,
    "automatic-speech-recognition": speech_recognition,
    "object-detection": object_detection,
}
