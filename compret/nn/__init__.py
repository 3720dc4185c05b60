"""Modules with parameters and the tensor arithmetic around them; no Lightning, no files but a model's own."""

from compret.nn.encoder import LoRA as LoRA
from compret.nn.encoder import TextEncoder as TextEncoder
from compret.nn.tokenizer import TextTokenizer as TextTokenizer
