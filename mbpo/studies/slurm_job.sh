#!/bin/bash
# Runs of the study $name, one to a task. Written by python -m mbpo.study; edit it as you like and give it to sbatch:
# a task begins its run, or goes on with it from its newest checkpoint, and does nothing where it has finished.
#SBATCH --job-name=$name
#SBATCH --array=0-$last
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=$output/%A_%a.txt
#SBATCH --signal=TERM@180
$options

runs=(
$runs
)

cd $here || exit 5
export PYTHONPATH=$source$${PYTHONPATH:+:$$PYTHONPATH}

trap : TERM  # bash outlives the signal, which srun hands to the learner
task=$${SLURM_ARRAY_JOB_ID}_$${SLURM_ARRAY_TASK_ID}
export SRUN_CPUS_PER_TASK=$${SLURM_CPUS_PER_TASK:-1}
srun --ntasks=1 $python -m mbpo.studies.task $folder "$${runs[$$SLURM_ARRAY_TASK_ID]}"
code=$$?
# Told to end, before the time limit or by a job that goes first, the learner has saved and ends with 143: back into the
# queue, to go on later. Not where scancel told it to, nor where Slurm does so itself: then the task is no more RUNNING.
case "$$code $$(squeue -h -j "$$task" -o '%T %r')" in
    143\ RUNNING* | 143\ *TimeLimit) scontrol requeue "$$task" ;;
esac
exit $$code
