"""Modules with parameters and the tensor arithmetic around them; no Lightning, no files but a model's own."""

from compret.nn.encoder import TextEncoder as TextEncoder
from compret.nn.encoder_options import EncoderOptions as EncoderOptions
from compret.nn.encoder_options import LoRA as LoRA
from compret.nn.tokenizer import TextTokenizer as TextTokenizer
