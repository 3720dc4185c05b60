"""The only room that knows ranks: launchers, collectives with gradients, sharded checkpoints."""

from compret.distributed.collectives import Agreement as Agreement
from compret.distributed.collectives import disconnect as disconnect
from compret.distributed.collectives import first_row as first_row
from compret.distributed.collectives import gather_objects as gather_objects
from compret.distributed.collectives import gather_rows as gather_rows
from compret.distributed.collectives import gather_shards as gather_shards
from compret.distributed.collectives import gradient_norm as gradient_norm
from compret.distributed.collectives import is_sharded as is_sharded
from compret.distributed.collectives import mean_rows as mean_rows
from compret.distributed.collectives import missing_calls as missing_calls
from compret.distributed.collectives import rank as rank
from compret.distributed.collectives import row_counts as row_counts
from compret.distributed.collectives import shard as shard
from compret.distributed.collectives import world_size as world_size
from compret.distributed.launchers import Job as Job
from compret.distributed.launchers import Launch as Launch
from compret.distributed.launchers import check_cores as check_cores
from compret.distributed.launchers import check_launch as check_launch
from compret.distributed.launchers import launch as launch
from compret.distributed.launchers import slurm_job as slurm_job
from compret.distributed.shards import incomplete_files as incomplete_files
