"""The exercises of notebook 11: the loss, Adam, a step, the schedule and the average."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glanet.course.kit.checks import AnswerError, Exercise, random_weights
from glanet.training import schedule
from glanet.training.recipe import Recipe

# The gradient of L1


def sign_over_count(output, target):
    """Gradient of the L1 loss (Eq. 6) with respect to ``output``, in its shape.

    Each of the n values is -1/n, 0 or 1/n.
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
        "the signs are right, but the loss is a mean: divide them by the number of values": (
            lambda output, target: (output - target).sign()
        ),
        "the sign is wrong: where the output is too large, the gradient is positive": (
            lambda output, target: (target - output).sign() / output.numel()
        ),
        "this is the gradient of the squared error: for L1 only the sign counts": (
            lambda output, target: 2 * (output - target) / output.numel()
        ),
        "the result still contains the difference itself: take only its sign": (
            lambda output, target: (output - target) / output.numel()
        ),
        "this is each value's share of the loss, not the gradient: use sign instead of abs": (
            lambda output, target: (output - target).abs() / output.numel()
        ),
        "where output and target are equal the gradient is 0: sign() gives that": (
            lambda output, target: torch.where(output > target, 1.0, -1.0) / output.numel()
        ),
        "you divide by the values of one image: the mean is over all values of all images": (
            lambda output, target: (output - target).sign() / output[0].numel()
        ),
        "you divide by the number of images: the mean is over all values of all images": (
            lambda output, target: (output - target).sign() / len(output)
        ),
        "this is one number, but each value of the output has its own gradient: do not sum": (
            lambda output, target: (output - target).sign().mean()
        ),
        "where output and target are equal, 0 / 0 gives nan: sign() gives 0": (
            lambda output, target: (output - target) / (output - target).abs() / output.numel()
        ),
        "this is the loss: return its gradient, a number for each value of the output": F.l1_loss,
    },
)


# Adam

BETAS, EPSILON = (0.9, 0.999), 1e-8  # the paper's, and torch's default


def adam(weight, gradient, m, v, step, rate):
    """One step of Adam (Kingma & Ba 2015): the new weight, m and v, all of the same shape.

    Args:
        m, v: moving averages of the gradient and of its square; 0 before the first step.
        step: counts from 1.
        rate: the learning rate.
    """
    m = BETAS[0] * m + (1 - BETAS[0]) * gradient
    v = BETAS[1] * v + (1 - BETAS[1]) * gradient**2
    m_hat = m / (1 - BETAS[0] ** step)
    v_hat = v / (1 - BETAS[1] ** step)
    return weight - rate * m_hat / (v_hat.sqrt() + EPSILON), m, v


def _adam_mistaken(
    *,
    betas=BETAS,
    fresh=(0.1, 0.001),
    power=2,
    first_step=0,
    corrected=(True, True),
    root=True,
    sign=-1,
    of_rate=lambda rate: rate,
):
    """An Adam with one of these mistakes."""

    def mistaken(weight, gradient, m, v, step, rate):
        m = betas[0] * m + fresh[0] * gradient
        v = betas[1] * v + fresh[1] * gradient.abs() ** power
        counted = step + first_step
        shares = [1 - b**counted if done else 1 for b, done in zip(betas, corrected, strict=True)]
        size = v / shares[1]
        return (
            weight
            + sign * of_rate(rate) * (m / shares[0]) / ((size.sqrt() if root else size) + EPSILON),
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


def _moved(weight, gradient, m, v, step, rate, by):
    """Adam with another step: ``by`` of gradient, m̂, v̂ and rate."""
    _, m, v = adam(weight, gradient, m, v, step, rate)
    corrected = m / (1 - BETAS[0] ** step), v / (1 - BETAS[1] ** step)
    return weight - by(gradient, *corrected, rate), m, v


def _draw_adam(rng):
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    cases = []
    # the first step, an early and a late one; gradients so small that the place of epsilon matters
    for step, size, rate in ((1, 1.0, 0.1), (3, 1.0, 0.02), (400, 1.0, 0.3), (5, 1e-6, 0.1)):
        weight, gradient, m, v = torch.randn(4, 2, 3, generator=generator, dtype=torch.float64)
        started = 0 if step == 1 else size
        cases.append((weight, size * gradient, started * m, started * size * v**2, step, rate))
    return cases


def run_adam(candidate, *arguments):
    """Weight, m and v as one tensor.

    Raises:
        AnswerError: the answer is not these three.
    """
    found = candidate(*arguments)
    if found is None or found is ...:
        return found
    if not isinstance(found, tuple | list) or len(found) != 3:
        raise AnswerError("return three tensors: the new weight, m and v")
    return torch.stack(list(found))


adam_step = Exercise(
    "training_in_miniature",
    "adam_step",
    adam,
    _draw_adam,
    {
        "m and v start at 0 and are too small at first: divide by 1 − β to the power of step": (
            _adam_mistaken(corrected=(False, False))
        ),
        "only m is divided by 1 − β₁ to the power of step: divide v by 1 − β₂ to it too": (
            _adam_mistaken(corrected=(True, False))
        ),
        "only v is divided by 1 − β₂ to the power of step: divide m by 1 − β₁ to it too": (
            _adam_mistaken(corrected=(False, True))
        ),
        "m and v come first: return the new weight, m and v, in this order": (
            lambda *arguments: (*adam(*arguments)[1:], adam(*arguments)[0])
        ),
        "the step does not depend on `rate`: multiply by it": (
            _adam_mistaken(of_rate=lambda rate: 1)
        ),
        "step already counts from 1: take β to the power of step, not step + 1": (
            _adam_mistaken(first_step=1)
        ),
        "v averages the absolute gradient: it should average the square": (_adam_mistaken(power=1)),
        "β₁ and β₂ are swapped: 0.9 belongs to m, 0.999 to v": (
            _adam_mistaken(betas=BETAS[::-1], fresh=(0.001, 0.1))
        ),
        "the square root is missing: divide by the square root of v̂": _adam_mistaken(root=False),
        "the weight moves uphill: subtract the step": _adam_mistaken(sign=1),
        "m and v grow without bound: multiply the new gradient by 1 − β": (
            _adam_mistaken(fresh=(1, 1))
        ),
        "the weight is right, but you return m̂ and v̂: the next step needs m and v": (
            _adam_corrected_kept
        ),
        "the weight moves by m and v of the previous step: update them with the gradient first": (
            _adam_old_averages
        ),
        "ε belongs outside the root: √v̂ + ε": _adam_epsilon_inside,
        "ε is not added to √v̂: divide by √v̂ + ε, in brackets": (
            lambda *arguments: _moved(
                *arguments, lambda gradient, m, v, rate: rate * m / v.sqrt() - EPSILON
            )
        ),
        "the gradient is divided by √v̂ + ε: divide m̂ by it": (
            lambda *arguments: _moved(
                *arguments, lambda gradient, m, v, rate: rate * gradient / (v.sqrt() + EPSILON)
            )
        ),
        "this is gradient descent: divide m̂ by √v̂ + ε": (
            lambda *arguments: _moved(*arguments, lambda gradient, m, v, rate: rate * gradient)
        ),
        "this is the step alone: subtract it from the weight": lambda weight, *others: (
            adam(weight, *others)[0] - weight,
            *adam(weight, *others)[1:],
        ),
        "v comes before m: return the new weight, m and v, in this order": lambda *arguments: (
            adam(*arguments)[0],
            *adam(*arguments)[:0:-1],
        ),
    },
    run=run_adam,
)


# A step of training


def one_step(model, adam, lr, hr, rate):
    """Change the weights of ``model`` by one training step on a batch; returns the loss.

    Args:
        adam: torch's optimizer for the parameters of ``model``.
        lr: LR patches, (B, 3, h, w) in [0, 1].
        hr: HR patches, (B, 3, scale·h, scale·w) in [0, 1].
        rate: the learning rate of this step.
    """
    model.train()
    adam.param_groups[0]["lr"] = rate
    loss = F.l1_loss(model(lr), hr)
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss.item()


class _Toy(nn.Module):
    """A small ×2 model that halves its output in eval mode."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)

    def forward(self, lr):
        sr = F.pixel_shuffle(self.conv(lr), 2)
        return sr if self.training else sr / 2


def run_step(candidate, weights, lrs, hrs, rates):
    """The loss of each step, then the weights after the last one, as one tensor.

    Raises:
        AnswerError: the candidate trains but does not return the loss as a number, or calls
            adam.step() before backward.
    """
    model = _Toy().eval()
    model.load_state_dict(weights)
    before = _flat(model)
    adam = torch.optim.Adam(model.parameters(), lr=0.5)
    losses = []
    for batch in zip(lrs, hrs, rates, strict=True):
        try:
            losses.append(candidate(model, adam, *batch))
        except RuntimeError as error:
            if "modified by an inplace operation" in str(error):
                raise AnswerError("adam.step() comes before loss.backward(): swap them") from error
            raise
    if losses[0] is None and not torch.equal(_flat(model), before):
        raise AnswerError("the weights change, but you do not return the loss: return loss.item()")
    if losses[0] is None or losses[0] is ...:
        return None
    if isinstance(losses[0], torch.Tensor):
        raise AnswerError(
            "the loss is a tensor, which keeps in memory all that backward needed: loss.item()"
        )
    return torch.cat([torch.tensor([float(loss) for loss in losses]), _flat(model)])


def _flat(model):
    return torch.cat([tensor.detach().flatten() for tensor in model.parameters()])


def _step_mistaken(
    *,
    order=("forward", "zero", "backward", "step"),
    train=True,
    sets_rate=True,
    loss_function=F.l1_loss,
):
    """A training step with one of these mistakes."""

    def mistaken(model, adam, lr, hr, rate):
        model.train(train)
        if sets_rate:
            adam.param_groups[0]["lr"] = rate
        loss = None
        for part in order:
            if part == "forward":
                loss = loss_function(model(lr), hr)
            elif part == "zero":
                adam.zero_grad()
            elif part == "backward":
                loss.backward()
            else:
                adam.step()
        return loss.item()

    return mistaken


def _new_adam(model, adam, lr, hr, rate):
    return one_step(model, torch.optim.Adam(model.parameters()), lr, hr, rate)


def _loss_afterwards(model, adam, lr, hr, rate):
    one_step(model, adam, lr, hr, rate)
    return F.l1_loss(model(lr), hr).item()


def _draw_steps(rng):
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    lrs = torch.rand(4, 2, 3, 4, 5, generator=generator)
    hrs = torch.rand(4, 2, 3, 8, 10, generator=generator)
    return [(random_weights(_Toy(), rng), lrs, hrs, [0.02, 0.01, 0.04, 0.03])]


train_step = Exercise(
    "training_in_miniature",
    "train_step",
    one_step,
    _draw_steps,
    {
        "the gradients of earlier steps are still there: call adam.zero_grad() before backward": (
            _step_mistaken(order=("forward", "backward", "step"))
        ),
        "the weights do not change: call zero_grad, backward and step, in this order": (
            _step_mistaken(order=("forward", "zero", "backward"))
        ),
        "adam.step() uses the gradients of the previous step: call backward first": (
            _step_mistaken(order=("step", "forward", "zero", "backward"))
        ),
        "Adam is built anew in each step, and forgets m and v: use the `adam` that you get": (
            _new_adam
        ),
        "the loss is that of the changed weights: return the loss that backward used": (
            _loss_afterwards
        ),
        "the rate is not used: put it into adam.param_groups[0]['lr']": (
            _step_mistaken(sets_rate=False)
        ),
        "the model is still in eval mode: call model.train() first": _step_mistaken(train=False),
        "this is the squared error: Eq. 6 is L1": _step_mistaken(loss_function=F.mse_loss),
        "this is the sum over all values: Eq. 6 is their mean": (
            _step_mistaken(loss_function=lambda o, t: F.l1_loss(o, t, reduction="sum"))
        ),
        "errors of both signs cancel: take their absolute values, F.l1_loss": (
            _step_mistaken(loss_function=lambda output, target: (output - target).mean())
        ),
    },
    run=run_step,
    tolerance=1e-5,
)


# The schedule


class _Recipe(Recipe):
    """A recipe whose repr shows only what the schedule depends on."""

    def __repr__(self):
        return (
            f"Recipe(schedule={self.schedule!r}, steps={self.steps}, warm_up={self.warm_up}, "
            f"learning_rate={self.learning_rate:.3g})"
        )


def _schedule_mistaken(
    *,
    early=lambda recipe, step: (step + 1) / recipe.warm_up,
    warms=lambda recipe, step: step < recipe.warm_up,
    cosine=lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    from_start=False,
    halved=lambda passed: 0.5**passed,
    reached=lambda recipe, step, share: step >= share * recipe.steps,
):
    """A schedule with one of these mistakes."""

    def mistaken(recipe, step):
        if early is not None and warms(recipe, step):
            return recipe.learning_rate * early(recipe, step)
        if recipe.schedule == "cosine":
            start = 0 if from_start else recipe.warm_up
            return recipe.learning_rate * cosine((step - start) / (recipe.steps - start))
        passed = sum(reached(recipe, step, share) for share in recipe.milestones)
        return recipe.learning_rate * halved(passed)

    return mistaken


def _share_of_all_steps(recipe, step):
    if step < recipe.warm_up or recipe.schedule != "cosine":
        return schedule.learning_rate(recipe, step)
    share = (step - recipe.warm_up) / recipe.steps
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


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


def run_schedule(candidate, recipe, step):
    """The rate.

    Raises:
        AnswerError: the candidate divides by a warm-up of 0.
    """
    try:
        return candidate(recipe, step)
    except ZeroDivisionError as error:
        if recipe.warm_up:
            raise
        raise AnswerError(
            "it divides by recipe.warm_up where that is 0: divide only while step < recipe.warm_up "
            "(with <, not <=)"
        ) from error


learning_rate = Exercise(
    "training_in_miniature",
    "learning_rate",
    schedule.learning_rate,
    _draw_schedules,
    {
        "the warm-up is missing: while step < recipe.warm_up, the rate rises": (
            _schedule_mistaken(early=None, from_start=True)
        ),
        "the warm-up lacks its own case: while step < recipe.warm_up, the rate rises": (
            _schedule_mistaken(early=None)
        ),
        "at step recipe.warm_up the warm-up is over: take <, not <=": (
            _schedule_mistaken(warms=lambda recipe, step: recipe.warm_up and step <= recipe.warm_up)
        ),
        "only the cosine warms up: halving warms up too": _schedule_mistaken(
            warms=lambda recipe, step: recipe.schedule == "cosine" and step < recipe.warm_up
        ),
        "only halving warms up: the cosine warms up too": _schedule_mistaken(
            warms=lambda recipe, step: recipe.schedule == "halving" and step < recipe.warm_up
        ),
        "milestones are fractions: multiply them by recipe.steps": (
            _schedule_mistaken(reached=lambda recipe, step, share: step >= share)
        ),
        "this is the share of the rate: multiply it by recipe.learning_rate": (
            lambda recipe, step: schedule.learning_rate(recipe, step) / recipe.learning_rate
        ),
        "step 0 has rate 0 and learns nothing: the warm-up rises with step + 1": (
            _schedule_mistaken(early=lambda recipe, step: step / recipe.warm_up)
        ),
        "the cosine starts at step 0: it should start where the warm-up ends": (
            _schedule_mistaken(from_start=True)
        ),
        "this is a quarter of a cosine: take half of one, from 1 to −1, then add 1 and halve": (
            _schedule_mistaken(cosine=lambda share: math.cos(math.pi / 2 * share))
        ),
        "the cosine ends below 0: add 1 and halve": (
            _schedule_mistaken(cosine=lambda share: math.cos(math.pi * share))
        ),
        "the rate is halved one step too late: at a milestone's own step it is already halved": (
            _schedule_mistaken(reached=lambda recipe, step, share: step > share * recipe.steps)
        ),
        "milestones are fractions of all steps, including the warm-up": (
            _schedule_mistaken(
                reached=lambda recipe, step, share: (
                    step >= recipe.warm_up + share * (recipe.steps - recipe.warm_up)
                )
            )
        ),
        "the rate is halved only once: halve it again at every milestone": (
            _schedule_mistaken(halved=lambda passed: 0.5 if passed else 1)
        ),
        "you divide by 10 at a milestone: divide by 2": (
            _schedule_mistaken(halved=lambda passed: 0.1**passed)
        ),
        "you divide by the number of milestones passed: halve again at each": (
            _schedule_mistaken(halved=lambda passed: 1 / max(1, 2 * passed))
        ),
        "the rate is full from step 0: in the warm-up it rises": (
            _schedule_mistaken(early=lambda recipe, step: 1)
        ),
        "the warm-up is not multiplied by recipe.learning_rate": _schedule_mistaken(
            early=lambda recipe, step: (step + 1) / recipe.warm_up / recipe.learning_rate
        ),
        "π is missing in the cosine": _schedule_mistaken(
            cosine=lambda share: 0.5 * (1 + math.cos(share))
        ),
        "the cosine starts at twice the rate: halve it": _schedule_mistaken(
            cosine=lambda share: 1 + math.cos(math.pi * share)
        ),
        "the share of the cosine is of all steps: divide by the steps after the warm-up": (
            _share_of_all_steps
        ),
        "½ is multiplied by the number of milestones passed: take it to that power": (
            _schedule_mistaken(halved=lambda passed: 0.5 * passed)
        ),
        "the rate is never halved: halve it at each milestone": (
            _schedule_mistaken(halved=lambda passed: 1)
        ),
    },
    run=run_schedule,
)


# The average of the weights


def averaged_model(model, decay):
    """torch's AveragedModel with an exponential moving average, as in the package's loop."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))


def run_average(cls, decay, history):
    """The average's weights after each update, or None if no update changed anything.

    ``history`` maps a step to the weights of the model at that step; step 0 is the start.

    Raises:
        AnswerError: the average shares memory with the model, or changes it.
    """
    model = nn.Linear(3, 2)
    model.load_state_dict(history[0])
    average = cls(model, decay)
    if not hasattr(average, "module"):
        raise AnswerError("there is no `self.module`, the model that holds the average")
    start, found = _flat(average.module), []
    for step in range(1, len(history)):
        model.load_state_dict(history[step])
        average.update_parameters(model)
        pairs = zip(average.module.parameters(), model.parameters(), strict=True)
        if any(mine.data_ptr() == theirs.data_ptr() for mine, theirs in pairs):
            raise AnswerError(
                "the average and the model share their numbers, so the average changes with each "
                "step: write into its tensors with copy_"
            )
        if any(not torch.equal(t, history[step][name]) for name, t in model.state_dict().items()):
            raise AnswerError("the model changes: write into the tensors of self.module")
        found.append(_flat(average.module))
    done = average.n_averaged > 0 or not all(torch.equal(weights, start) for weights in found)
    return torch.stack(found) if done else None


class _MistakenAverage(AveragedModel):
    """An average that replaces each weight tensor by ``self.mix(mine, theirs, count)``."""

    def __init__(self, model, decay):
        super().__init__(model)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model):
        pairs = zip(self.module.parameters(), model.parameters(), strict=True)
        for mine, theirs in pairs:
            mine.copy_(self.mix(mine, theirs, self.n_averaged.item()))
        self.n_averaged += 1


class _WithGradients(_MistakenAverage):
    def update_parameters(self, model):
        for mine, theirs in zip(self.module.parameters(), model.parameters(), strict=True):
            mine.copy_(theirs)


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


class _CountsEachTensor(_MistakenAverage):
    def mix(self, mine, theirs, count):
        self.n_averaged += 1  # before the next tensor, which then finds it above 0
        return self.decay * mine + (1 - self.decay) * theirs if count else theirs


class _DecayGrows(_MistakenAverage):
    def mix(self, mine, theirs, count):
        kept = min(self.decay, (1 + count) / (10 + count))
        return kept * mine + (1 - kept) * theirs if count else theirs


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
        "decay and 1 − decay are swapped: most of the average should stay": _Swapped,
        "the first update mixes in the initial weights: while n_averaged is 0, copy": _NeverCopied,
        "the average always equals the last weights: copy only while n_averaged is 0, and add 1 to "
        "n_averaged after each update": _AlwaysCopied,
        "self.module never changes: write into its tensors with copy_": _NeverWritten,
        "self.module does not change after the first update: write into its tensors with copy_": (
            _OnlyFirstWritten
        ),
        "this is the plain mean of all weights so far: old weights should fade": _PlainMean,
        "the average keeps growing: multiply the old average by decay": _NotShrunk,
        "n_averaged counts each tensor: add 1 after the loop, once in each update": (
            _CountsEachTensor
        ),
        "the decay grows with the number of updates: here it is constant": _DecayGrows,
        "only the first tensor is averaged: go through all parameters": _FirstTensorOnly,
        "gradients are recorded while the average changes: put @torch.no_grad() on the method": (
            _WithGradients
        ),
    },
    run=run_average,
)
