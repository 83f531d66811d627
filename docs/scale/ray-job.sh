#!/bin/bash
# On a Ray cluster that runs already: the driver goes to its head as a job, and outlives this shell.
#
#   LIBRARY=/shared/howto100m ADDRESS=http://10.0.0.7:8265 docs/scale/ray-job.sh
set -euo pipefail
: "${LIBRARY:?the folder of the library}" "${ADDRESS:?of the dashboard of the cluster}"

ray job submit --address "$ADDRESS" --no-wait -- \
    howto extract "$LIBRARY" --on ray=auto --resources gpu=1,cpu=8 \
    --backbone resnet152,resnext101-3d --precision bf16
