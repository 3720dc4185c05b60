"""Kernels for CPUs beside torch's own, each used where this machine has measured it to be faster.

Torch multiplies float32 matrices with MKL, which takes its AVX2 path on processors that are not Intel's; oneDNN takes
what the processor has. Torch's time over oneDNN's, forward, gradient of the input, gradient of the weight: 1.3, 0.97
and 0.8 on an AMD with AVX-512 (family 25, model 17; dropout 2.0), about 2 in all on another, and 0.91, 0.88 and 0.64 on
an AMD with AVX2. Hence a measurement, and one for each direction.
"""

from compret.nn.cpu.dropout import use_fast_dropout as use_fast_dropout
from compret.nn.cpu.linear import use_onednn as use_onednn
from compret.nn.cpu.probe import CPUKernels as CPUKernels
from compret.nn.cpu.probe import Kernels as Kernels
from compret.nn.cpu.probe import kernels as kernels
