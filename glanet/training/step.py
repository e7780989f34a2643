"""A training step as one function of tensors: gradient, clipping, Adam, moving average.

It never looks at a value, so nothing waits for the device, and a CUDA graph can hold all of it
(`glanet.training.capture`). Python learns what a step found while the device computes the next one.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm


class Step:
    """The step of a run: what `__call__` does to its state.

    A step whose loss or gradient is not finite is refused on the device: parameters, Adam's state
    and the average stay bit-identical. With ``recipe.on_nan`` "stop", all later steps are refused
    too, because the device may have begun one before Python learns of the first.

    Args:
        state: the `State` that the step changes.
        model: ``state.model``, as accelerate prepared it.
        loss: a function of (sr, hr).
        recipe: the run's.
        accelerator: accelerate's view of precision and processes.
    """

    def __init__(self, state, model, loss, recipe, accelerator):
        self.state, self.model, self.loss = state, model, loss
        self.recipe, self.accelerator = recipe, accelerator
        self.parameters = list(state.model.parameters())
        self.averages = list(state.average.module.parameters())
        self.halted = torch.zeros((), device=accelerator.device)  # 1: all steps are refused

    def __call__(self, lr, hr, rate, asked):
        """Do one step. Returns a tensor (3,): loss, norm of the gradient, mean of ``asked``.

        Args:
            lr, hr: this process's share of the batch.
            rate: the learning rate, a scalar.
            asked: 1 if this process was asked to stop, else 0, a scalar.
        """
        loss = self.gradient(lr, hr)
        norm = self._clip()
        # all processes must decide alike: by the mean loss, and by whether any was asked to stop
        loss, asked = self.accelerator.reduce(torch.stack([loss, asked]), "mean")
        refused = self.halted.maximum((~(loss.isfinite() & norm.isfinite())).float())
        if self.recipe.on_nan == "stop":
            self.halted.copy_(refused)
        self._update(rate, refused)
        return torch.stack([loss, norm, asked])

    @contextmanager
    def refusing(self):
        """Inside, steps change nothing but gradients: for trials before the first step."""
        self.halted.fill_(1)
        try:
            yield
        finally:
            self.halted.zero_()

    def gradient(self, lr, hr):
        """The loss of a batch, a scalar; leaves its gradient in the parameters."""
        self.state.optimizer.zero_grad(set_to_none=True)
        count = self.recipe.accumulate
        total = torch.zeros((), device=lr.device)
        for number, part in enumerate(zip(lr.chunk(count), hr.chunk(count), strict=True), start=1):
            # processes exchange the gradient once, with the last part
            waits = nullcontext() if number == count else self.accelerator.no_sync(self.model)
            with waits:
                total += self._part_of_gradient(*part) / count
        return total

    def _part_of_gradient(self, lr, hr):
        loss = self.loss(self.model(lr), hr)
        self.accelerator.backward(loss / self.recipe.accumulate)
        return loss.detach()

    def _clip(self):
        """Clip the gradient. Returns its norm before that."""
        found = [p.grad for p in self.parameters if p.grad is not None]
        norm = get_total_norm(found)
        if self.recipe.gradient_clip:
            clip_grads_with_norm_(self.parameters, self.recipe.gradient_clip, norm)
        return norm

    @torch.no_grad()
    def _update(self, rate, refused):
        adam = self.state.optimizer
        adam.param_groups[0]["lr"] = rate
        if adam.defaults["fused"]:
            # torch's GradScaler hands these two to Adam, whose kernel then leaves the step out
            adam.found_inf, adam.grad_scale = refused, None
            adam.step()
        elif not refused:
            adam.step()
        self._average(1 - refused)

    def _average(self, counts):
        """Move the average towards the parameters, if ``counts`` is 1 and not 0."""
        number, decay = self.state.average.n_averaged, self.recipe.average
        # the first update copies, as torch's AveragedModel does
        share = ((number == 0) * decay + (1 - decay)) * counts
        moves = torch._foreach_sub(self.parameters, self.averages)
        torch._foreach_mul_(moves, share)
        torch._foreach_add_(self.averages, moves)
        number += counts.long()


class Outcome:
    """What a step found. Reading it waits for that step, and for none that began later.

    ``step``: its number. ``values``: what `Step` returned.
    """

    def __init__(self, step, values):
        self.step = step
        self._values = values.to("cpu", non_blocking=values.is_cuda)
        self._there = torch.cuda.Event() if values.is_cuda else None
        if self._there:
            self._there.record()

    def read(self):
        """The loss, the norm of the gradient, and whether any process was asked to stop."""
        if self._there:
            self._there.synchronize()
        loss, norm, asked = self._values.tolist()
        return loss, norm, asked > 0
