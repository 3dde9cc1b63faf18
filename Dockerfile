# An image with everything that a run needs, the command line as well as the workflow:
#   docker build --tag ganbench .                                     PyTorch with CUDA, from PyPI
#   docker build --tag ganbench --build-arg TORCH_INDEX=ADDRESS .     PyTorch for CPUs, from the index that its site names
#   docker run --gpus all --volume "$PWD/results:/ganbench/results" ganbench snakemake --cores all
FROM python:3.12-slim-bookworm

# Triton compiles a launcher for each kernel when it first runs; rsync serves nodes without a shared disk.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev rsync \
    && rm -rf /var/lib/apt/lists/*

# Before the sources, so that another line of code downloads nothing again.
WORKDIR /ganbench
COPY constraints.txt .
ARG TORCH_INDEX=
RUN pip install --no-cache-dir --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch

COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt '.[workflow,kubernetes,triton]'

# Records name the commit, and an image has no history: --build-arg COMMIT="$(git rev-parse HEAD)".
ARG COMMIT=
ENV GANBENCH_COMMIT=$COMMIT MPLBACKEND=Agg

# Results are written as somebody without rights over the machine.
RUN useradd --create-home --uid 1000 ganbench && chown 1000 /ganbench
USER 1000
CMD ["ganbench", "--help"]
