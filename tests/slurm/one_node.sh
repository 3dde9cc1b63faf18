#!/usr/bin/env bash
# A real Slurm of one machine, for tests: no systemd, nothing in /etc, no root; ports are 127.0.0.1's.
#
#   one_node.sh start DIR    # a few seconds; DIR is new, and its path short
#   . DIR/env                # SLURM_CONF, for sbatch, srun and snakemake
#   one_node.sh stop DIR     # cancels jobs, ends the daemons by their pids; logs stay in DIR
#
# Needs Debian's slurmctld, slurmd, slurm-client and munge. GPUS=4 pretends: Slurm hands out CUDA_VISIBLE_DEVICES,
# and no driver is there. Two partitions: `main`, and `urgent`, whose jobs preempt and requeue those of `main`.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

die() {
  echo "one_node.sh: $*" >&2
  exit 1
}

# Sets PORT to one of 127.0.0.1 where nobody listens.
free_port() {
  while PORT=$((20000 + RANDOM % 10000)); (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2> /dev/null; do :; done
}

# until_ok SECONDS WHAT COMMAND...
until_ok() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < end)) || die "$what did not come up; see the logs in $dir"
    sleep 0.1
  done
}

write_configuration() {
  local host user memory gpus=${GPUS:-0} controller_port node_port srun n
  # Slurm wants a character device for each GPU; which one does not matter, since nothing is confined.
  local devices=(/dev/null /dev/zero /dev/full /dev/random)
  ((gpus <= ${#devices[@]})) || die "GPUS: got $gpus; give at most ${#devices[@]}"
  host=$(hostname -s) user=$(id -un)
  memory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  free_port; controller_port=$PORT
  free_port; node_port=$PORT
  cat > "$dir/slurm.conf" << END
ClusterName=onenode
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
# A requeued job starts again once its old credential has expired.
AuthInfo=socket=$dir/munge.socket,cred_expire=15
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
# Without cgroups, which need root. A step over its memory is killed all the same, by sampling.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_min_interval=100000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
MinJobAge=300
ReturnToService=2
MpiDefault=none
GresTypes=gpu
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$node_port CPUs=$(nproc --all) RealMemory=$memory Gres=gpu:$gpus
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 DefaultTime=60
PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=OFF DefaultTime=60
END
  for ((n = 0; n < gpus; n++)); do echo "Name=gpu File=${devices[n]}"; done > "$dir/gres.conf"
  # The executor's job step calls srun without SLURM_CONF: this one gives it back.
  srun=$(command -v srun)
  mkdir -p "$dir/bin"
  printf '#!/bin/sh\nSLURM_CONF="%s" exec "%s" "$@"\n' "$dir/slurm.conf" "$srun" > "$dir/bin/srun"
  chmod +x "$dir/bin/srun"
  printf 'export SLURM_CONF="%s" PATH="%s:$PATH"\n' "$dir/slurm.conf" "$dir/bin" > "$dir/env"
}

start() {
  local name origin=()
  for name in munged slurmctld slurmd sinfo; do command -v $name > /dev/null || die "no $name; see this script's head"; done
  [[ ! -e $dir/slurm.conf ]] || die "$dir: was used before; give a new folder"
  mkdir -p "$dir/state"
  chmod go+x "$dir" # munged wants its socket reachable
  write_configuration
  trap 'if (($? != 0)); then stop; fi' EXIT
  . "$dir/env"
  (umask 077; head -c 1024 /dev/urandom > "$dir/munge.key")
  # Newer ones look the host's own name up, which a container may not know.
  if munged --help | grep -q -- --origin; then origin=(--origin=127.0.0.1); fi
  munged --force "${origin[@]}" --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munge.seed" 2> "$dir/munged.err"
  until_ok 10 munged munge --no-input --socket="$dir/munge.socket"
  slurmctld 2> "$dir/slurmctld.err"
  slurmd -N n1 2> "$dir/slurmd.err"
  until_ok 60 "a job" srun --immediate=10 --time=1 --mem=10 true
}

stop() {
  local file pid end=$((SECONDS + 40))
  . "$dir/env"
  timeout 20 scancel --user="$(id -un)" 2> /dev/null || true
  while ((SECONDS < end)) && [[ -n $(timeout 5 squeue --noheader 2> /dev/null) ]]; do sleep 0.2; done
  for file in "$dir"/slurmd.pid "$dir"/slurmctld.pid "$dir"/munged.pid; do
    [[ -s $file ]] || continue
    pid=$(< "$file")
    # Only a process that was started for this folder.
    tr '\0' ' ' < "/proc/$pid/environ" 2> /dev/null | grep -q -- "$dir" \
      || tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null | grep -q -- "$dir" || continue
    kill "$pid" 2> /dev/null || continue
    for _ in {1..100}; do kill -0 "$pid" 2> /dev/null || break; sleep 0.1; done
    if kill -0 "$pid" 2> /dev/null; then kill -9 "$pid"; fi
  done
}

(($# == 2)) || die "usage: $0 start|stop DIR"
dir=$(realpath -m "$2")
case $1 in
  start) start ;;
  stop) stop ;;
  *) die "usage: $0 start|stop DIR" ;;
esac
