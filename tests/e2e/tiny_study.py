"""The smallest study that exercises all of one."""

STUDY = """\
version: 1
name: tiny
method: dam
matrix:
  dam.depth: [g2, g5]
  direction: [mr->ct]
data:
  dataset: phantom
  options: {subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}
search: {alg: tpe, num_samples: 3, seed: 0}
scheduler: {type: asha, grace_period: 2, reduction_factor: 2}
confirm: {top_k: 1, seeds: [1, 2]}
evaluation: {every: 2, images: 4}
parameters:
  optim.lr: {type: float, low: 1e-5, high: 1e-3, log: true}
  align.clip: {type: float, low: 0.01, high: 0.1, log: true}
  segmenter.name: dilated_fcn
  segmenter.width: 2
  segmenter.steps: 4
  segmenter.batch_size: 4
  critic.input: pool
  critic.width: 4
  critic.steps: 2
  critic.warm_up: 0
  critic.growth: 0
  batch_size: 4
  steps: 6
"""
