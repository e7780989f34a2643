"""Notebook 11: the loss, Adam, the step, the schedule and the average, each by hand."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glanet.course.kit.checks import Exercise, random_weights
from glanet.training import schedule
from glanet.training.recipe import Recipe

# The gradient of L1


def sign_over_count(output, target):
    """Gradient of the mean absolute difference with respect to ``output``; its shape is output's.

    -1/n, 0 or 1/n for each of the n values (Eq. 6).
    """
    return (output - target).sign() / output.numel()


def _draw_images(rng):
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    cases = []
    for shape in ((2, 3, 4, 5), (3, 1, 2, 7)):
        output, target = torch.rand(2, *shape, generator=generator)
        tie = torch.rand(shape, generator=generator) < 0.2
        cases.append((output, torch.where(tie, output, target)))
    return cases


l1_gradient = Exercise(
    "training_in_miniature",
    "l1_gradient",
    sign_over_count,
    _draw_images,
    {
        "the signs are right: the loss is a mean, so divide them by the number of values": (
            lambda output, target: (output - target).sign()
        ),
        "it points the wrong way: where the output is too large, the gradient is positive": (
            lambda output, target: (target - output).sign() / output.numel()
        ),
        "that is the gradient of the squared error: for L1 only the sign counts": (
            lambda output, target: 2 * (output - target) / output.numel()
        ),
        "the difference itself is still in it: take only its sign": (
            lambda output, target: (output - target) / output.numel()
        ),
        "that is each value's share of the loss, not of the gradient: sign in place of abs": (
            lambda output, target: (output - target).abs() / output.numel()
        ),
        "it divides by the number of images: the mean is over every value, in all of them": (
            lambda output, target: (output - target).sign() / len(output)
        ),
        "that is one number, and each value of the output has a gradient of its own: do not sum": (
            lambda output, target: (output - target).sign().mean()
        ),
    },
)


# Adam

BETAS, EPSILON = (0.9, 0.999), 1e-8  # the paper's, and torch's default


def adam(weight, gradient, m, v, step, rate):
    """One step of Adam (Kingma & Ba 2015). Returns the new weight, m and v, each of one shape.

    ``m`` and ``v`` are the moving averages of the gradient and of its square, both 0 before the
    first step; ``step`` counts from 1; ``rate`` is the learning rate.
    """
    m = BETAS[0] * m + (1 - BETAS[0]) * gradient
    v = BETAS[1] * v + (1 - BETAS[1]) * gradient**2
    m_hat = m / (1 - BETAS[0] ** step)
    v_hat = v / (1 - BETAS[1] ** step)
    return weight - rate * m_hat / (v_hat.sqrt() + EPSILON), m, v


def _adam_mistaken(
    *, betas=BETAS, fresh=(0.1, 0.001), power=2, first_step=0, corrected=True, root=True, sign=-1
):
    """An Adam that is wrong in one of these respects."""

    def mistaken(weight, gradient, m, v, step, rate):
        m = betas[0] * m + fresh[0] * gradient
        v = betas[1] * v + fresh[1] * gradient.abs() ** power
        counted = step + first_step
        shares = [1 - beta**counted if corrected else 1 for beta in betas]
        size = v / shares[1]
        return (
            weight + sign * rate * (m / shares[0]) / ((size.sqrt() if root else size) + EPSILON),
            m,
            v,
        )

    return mistaken


def _adam_corrected_kept(weight, gradient, m, v, step, rate):
    weight, m, v = adam(weight, gradient, m, v, step, rate)
    return weight, m / (1 - BETAS[0] ** step), v / (1 - BETAS[1] ** step)


def _adam_old_averages(weight, gradient, m, v, step, rate):
    _, new_m, new_v = adam(weight, gradient, m, v, step, rate)
    corrected = m / (1 - BETAS[0] ** step), v / (1 - BETAS[1] ** step)
    return weight - rate * corrected[0] / (corrected[1].sqrt() + EPSILON), new_m, new_v


def _adam_epsilon_inside(weight, gradient, m, v, step, rate):
    _, m, v = adam(weight, gradient, m, v, step, rate)
    m_hat, v_hat = m / (1 - BETAS[0] ** step), v / (1 - BETAS[1] ** step)
    return weight - rate * m_hat / (v_hat + EPSILON).sqrt(), m, v


def _draw_adam(rng):
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    cases = []
    # the first step, an early and a late one; and gradients so small that epsilon's place matters
    for step, size in ((1, 1.0), (3, 1.0), (400, 1.0), (5, 1e-4)):
        weight, gradient, m, v = torch.randn(4, 2, 3, generator=generator, dtype=torch.float64)
        started = 0 if step == 1 else size
        cases.append((weight, size * gradient, started * m, started * size * v**2, step, 0.1))
    return cases


def run_adam(candidate, *arguments):
    """Weight, m and v as one tensor, to compare."""
    found = candidate(*arguments)
    return found if found is None or found is ... else torch.stack(list(found))


adam_step = Exercise(
    "training_in_miniature",
    "adam_step",
    adam,
    _draw_adam,
    {
        "m and v start at 0 and are too small at first: divide by 1 − β to the power of step": (
            _adam_mistaken(corrected=False)
        ),
        "step counts from 1 already: take β to the power of step, not step + 1": (
            _adam_mistaken(first_step=1)
        ),
        "v averages the size of the gradient: it should average its square": (
            _adam_mistaken(power=1)
        ),
        "β₁ and β₂ have changed places: 0.9 belongs to m, 0.999 to v": (
            _adam_mistaken(betas=BETAS[::-1], fresh=(0.001, 0.1))
        ),
        "the root is missing: divide by the square root of v̂": _adam_mistaken(root=False),
        "it climbs: the step is subtracted": _adam_mistaken(sign=1),
        "m and v grow without bound: what is new enters with 1 − β": (_adam_mistaken(fresh=(1, 1))),
        "the weight is right, and m̂ and v̂ came back: the next step needs m and v, uncorrected": (
            _adam_corrected_kept
        ),
        "it steps with m and v of the step before: put the gradient into them first": (
            _adam_old_averages
        ),
        "ε belongs outside of the root: √v̂ + ε": _adam_epsilon_inside,
    },
    run=run_adam,
)


# A step of training


def one_step(network, adam, low, high, rate):
    """Change the weights of ``network`` by one step of training on a batch; returns the loss.

    ``adam``: torch's optimizer of its parameters; ``low``, ``high``: LR and HR patches,
    (B, 3, h, w) and (B, 3, s·h, s·w) in [0, 1]; ``rate``: the learning rate of this step.
    """
    network.train()
    adam.param_groups[0]["lr"] = rate
    loss = F.l1_loss(network(low), high)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss.item()


class _Toy(nn.Module):
    """An upscaler ×2 with little to learn, which halves its output where it is not training."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, low):
        high = F.pixel_shuffle(self.conv(low), 2)
        return high if self.training else high / 2


def run_step(candidate, weights, lows, highs, rates):
    """Losses and, after some steps, the weights, as one tensor.

    Raises:
        ValueError: it trains, and does not return the loss.
        RuntimeError: a step with a hint where autograd has only a riddle.
    """
    network = _Toy().eval()
    network.load_state_dict(weights)
    before = _flat(network)
    adam = torch.optim.Adam(network.parameters(), lr=0.5)
    losses = []
    for batch in zip(lows, highs, rates, strict=True):
        try:
            losses.append(candidate(network, adam, *batch))
        except RuntimeError as error:
            if "modified by an inplace operation" in str(error):
                raise RuntimeError("adam.step() comes before loss.backward(): swap them") from error
            raise
    if losses[0] is None and not torch.equal(_flat(network), before):
        raise ValueError("the weights change, but the loss is not returned: return loss.item()")
    if losses[0] is None or losses[0] is ...:
        return None
    return torch.cat([torch.tensor([float(loss) for loss in losses]), _flat(network)])


def _flat(network):
    return torch.cat([tensor.detach().flatten() for tensor in network.parameters()])


def _step_mistaken(
    *,
    order=("forward", "zero", "backward", "step"),
    train=True,
    sets_rate=True,
    loss_function=F.l1_loss,
):
    """A step of training that is wrong in one of these respects."""

    def mistaken(network, adam, low, high, rate):
        network.train(train)
        if sets_rate:
            adam.param_groups[0]["lr"] = rate
        loss = None
        for part in order:
            if part == "forward":
                loss = loss_function(network(low), high)
            elif part == "zero":
                adam.zero_grad()
            elif part == "backward":
                loss.backward()
            else:
                adam.step()
        return loss.item()

    return mistaken


def _draw_steps(rng):
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    lows = torch.rand(4, 2, 3, 4, 5, generator=generator)
    highs = torch.rand(4, 2, 3, 8, 10, generator=generator)
    return [(random_weights(_Toy(), rng), lows, highs, [0.02, 0.01, 0.04, 0.03])]


train_step = Exercise(
    "training_in_miniature",
    "train_step",
    one_step,
    _draw_steps,
    {
        "gradients of earlier steps are added to this one's: adam.zero_grad() before backward": (
            _step_mistaken(order=("forward", "backward", "step"))
        ),
        "the weights stay as they are: zero_grad, backward and step, all three and in this order": (
            _step_mistaken(order=("forward", "zero", "backward"))
        ),
        "adam.step() uses the gradients of the step before: backward comes first": (
            _step_mistaken(order=("step", "forward", "zero", "backward"))
        ),
        "the rate is not used: put it into adam.param_groups[0]['lr']": (
            _step_mistaken(sets_rate=False)
        ),
        "the network is still in eval mode: network.train() first": _step_mistaken(train=False),
        "that is the squared error: Eq. 6 asks for L1": _step_mistaken(loss_function=F.mse_loss),
        "that is the sum over all values: Eq. 6 is their mean": (
            _step_mistaken(loss_function=lambda o, t: F.l1_loss(o, t, reduction="sum"))
        ),
    },
    run=run_step,
    tolerance=1e-5,
)


# The schedule


class _Recipe(Recipe):
    """A recipe that shows of itself what the schedule depends on."""

    def __repr__(self):
        return (
            f"Recipe(schedule={self.schedule!r}, steps={self.steps}, warm_up={self.warm_up}, "
            f"learning_rate={self.learning_rate:.3g})"
        )


def _schedule_mistaken(
    *,
    early=lambda config, step: (step + 1) / config.warm_up,
    cosine=lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    from_start=False,
    halved=lambda passed: 0.5**passed,
    reached=lambda config, step, share: step >= share * config.steps,
):
    """A schedule that is wrong in one of these respects."""

    def mistaken(config, step):
        if early is not None and step < config.warm_up:
            return config.learning_rate * early(config, step)
        if config.schedule == "cosine":
            start = 0 if from_start else config.warm_up
            return config.learning_rate * cosine((step - start) / (config.steps - start))
        passed = sum(reached(config, step, share) for share in config.milestones)
        return config.learning_rate * halved(passed)

    return mistaken


def _draw_schedules(rng):
    steps, warm_up = int(rng.choice([200, 300, 400])), int(rng.integers(4, 20))
    rate = float(rng.uniform(0.5, 2))
    cases = []
    for schedule_name, warm in (("cosine", warm_up), ("halving", warm_up), ("halving", 0)):
        recipe = _Recipe(steps=steps, learning_rate=rate, schedule=schedule_name, warm_up=warm)
        milestones = [round(share * steps) for share in recipe.milestones]
        moments = [0, 1, warm_up - 1, warm_up, steps - 1, int(rng.integers(warm_up, steps))]
        moments += [milestone + offset for milestone in milestones for offset in (-1, 0)]
        cases += [(recipe, moment) for moment in sorted(set(moments))]
    return cases


learning_rate = Exercise(
    "training_in_miniature",
    "learning_rate",
    schedule.learning_rate,
    _draw_schedules,
    {
        "the warm-up is missing: while step < config.warm_up, the rate rises": (
            _schedule_mistaken(early=None, from_start=True)
        ),
        "the warm-up is skipped: while step < config.warm_up, the rate rises": (
            _schedule_mistaken(early=None)
        ),
        "step 0 has the rate 0 and learns nothing: the warm-up rises with step + 1": (
            _schedule_mistaken(early=lambda config, step: step / config.warm_up)
        ),
        "the cosine begins at step 0: it should begin where the warm-up ends": (
            _schedule_mistaken(from_start=True)
        ),
        "that is a quarter of a cosine: half of one falls from 1 to −1, then add 1 and halve": (
            _schedule_mistaken(cosine=lambda share: math.cos(math.pi / 2 * share))
        ),
        "the cosine ends below 0: add 1 and halve": (
            _schedule_mistaken(cosine=lambda share: math.cos(math.pi * share))
        ),
        "a milestone counts one step too late: at the step itself the rate is halved already": (
            _schedule_mistaken(reached=lambda config, step, share: step > share * config.steps)
        ),
        "milestones are shares of all the steps, the warm-up among them": (
            _schedule_mistaken(
                reached=lambda config, step, share: (
                    step >= config.warm_up + share * (config.steps - config.warm_up)
                )
            )
        ),
        "the rate is halved once only: at every milestone that is passed it is halved again": (
            _schedule_mistaken(halved=lambda passed: 0.5 if passed else 1)
        ),
        "it divides by 10 at a milestone: the recipe halves": (
            _schedule_mistaken(halved=lambda passed: 0.1**passed)
        ),
        "it divides by the number of milestones passed: halve again at each": (
            _schedule_mistaken(halved=lambda passed: 1 / max(1, 2 * passed))
        ),
    },
)


# The average of the weights


def averaged_model(network, decay):
    """What the package's loop makes: torch's AveragedModel, with an exponential moving average."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def run_average(cls, decay, history):
    """The average's weights after each update, for a network whose weights go through ``history``.

    ``history`` maps step to weights; those of step 0 are the start. None where nothing was ever
    averaged.
    """
    network = nn.Linear(3, 2)
    network.load_state_dict(history[0])
    average = cls(network, decay)
    start, found = _flat(average.module), []
    for step in range(1, len(history)):
        network.load_state_dict(history[step])
        average.update_parameters(network)
        found.append(_flat(average.module))
    done = average.n_averaged > 0 or not all(torch.equal(weights, start) for weights in found)
    return torch.stack(found) if done else None


class _MistakenAverage(AveragedModel):
    """An average whose update is ``self.mix(mine, theirs, count)``, weight by weight."""

    def __init__(self, network, decay):
        super().__init__(network)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, network):
        pairs = zip(self.module.parameters(), network.parameters(), strict=True)
        for mine, theirs in pairs:
            mine.copy_(self.mix(mine, theirs, self.n_averaged.item()))
        self.n_averaged += 1


class _Swapped(_MistakenAverage):
    def mix(self, mine, theirs, count):
        return (1 - self.decay) * mine + self.decay * theirs if count else theirs


class _NeverCopied(_MistakenAverage):
    def mix(self, mine, theirs, count):
        return self.decay * mine + (1 - self.decay) * theirs


class _AlwaysCopied(_MistakenAverage):
    def mix(self, mine, theirs, count):
        return theirs


class _NeverWritten(_MistakenAverage):
    def mix(self, mine, theirs, count):
        return mine


class _OnlyFirstWritten(_MistakenAverage):
    def mix(self, mine, theirs, count):
        return mine if count else theirs


class _PlainMean(_MistakenAverage):
    def mix(self, mine, theirs, count):
        return (count * mine + theirs) / (count + 1)


class _NotShrunk(_MistakenAverage):
    def mix(self, mine, theirs, count):
        return mine + (1 - self.decay) * theirs if count else theirs


class _FirstTensorOnly(_MistakenAverage):
    def mix(self, mine, theirs, count):
        is_first = mine is next(self.module.parameters())
        mixed = self.decay * mine + (1 - self.decay) * theirs if count else theirs
        return mixed if is_first else mine


def _draw_histories(rng):
    return [
        (decay, {step: random_weights(nn.Linear(3, 2), rng) for step in range(5)})
        for decay in (0.9, 0.7)
    ]


Average = Exercise(
    "training_in_miniature",
    "Average",
    averaged_model,
    _draw_histories,
    {
        "decay and 1 − decay have changed places: most of the average stays": _Swapped,
        "the first update mixes in the weights that the copy was made with: while n_averaged is 0, "
        "copy": _NeverCopied,
        "it is always the last weights: copy only while n_averaged is 0, and count it up": (
            _AlwaysCopied
        ),
        "nothing arrives in self.module: write into its tensors, with copy_": _NeverWritten,
        "after the first update nothing arrives in self.module: write into its tensors": (
            _OnlyFirstWritten
        ),
        "that is the plain mean of all weights so far: old ones should fade": _PlainMean,
        "it grows and grows: the old average must shrink by decay first": _NotShrunk,
        "only the first tensor is averaged: go through all parameters": _FirstTensorOnly,
    },
    run=run_average,
)
