#!/bin/bash
# Runs of the study $name, one to a task. Written by python -m mbpo.study; edit it as you like and give it to sbatch:
# a task begins its run, or goes on with it from its newest checkpoint, and does nothing where it has finished.
#SBATCH --job-name=$name
#SBATCH --array=0-$last
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=$output/%A_%a.txt
#SBATCH --signal=B:TERM@120
$options

runs=(
$runs
)

cd $here || exit 5
export PYTHONPATH=$source$${PYTHONPATH:+:$$PYTHONPATH}

# The learner runs in the background, for bash hands a signal on only while it waits. Told to end, by the time limit
# (two minutes before it) or by a job that goes first, the learner saves and ends with 143: then this task is put back
# into the queue, to go on later. scancel ends it for good.
$python -m mbpo.studies.task $folder "$${runs[$$SLURM_ARRAY_TASK_ID]}" &
learner=$$!
trap 'kill -TERM $$learner 2>/dev/null' TERM
wait $$learner
code=$$?
while kill -0 $$learner 2>/dev/null; do
    wait $$learner
    code=$$?
done
if [ $$code -eq 143 ]; then
    scontrol requeue "$${SLURM_ARRAY_JOB_ID}_$${SLURM_ARRAY_TASK_ID}"
fi
exit $$code
