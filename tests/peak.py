"""How much memory a model's forward needs at its peak, counted tensor by tensor."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Alive(TorchDispatchMode):
    """Follows the storages that operations return, until they are freed."""

    def __init__(self):
        super().__init__()
        self.sizes, self.peak = {}, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        returned = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(returned):
            if isinstance(tensor, torch.Tensor):
                self.follow(tensor)
        return returned

    def follow(self, tensor):
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self.sizes:
            self.sizes[key] = storage.nbytes()
            weakref.finalize(storage, self.sizes.pop, key)
            self.peak = max(self.peak, sum(self.sizes.values()))


def values_per_pixel(model, side):
    """The float32 values alive at the peak of ``model``'s forward, for each LR pixel.

    Of an image of ``side`` × ``side`` pixels, in inference. The image and the result count;
    parameters do not, nor what a kernel takes for itself while it runs.
    """
    parameters = list(model.parameters())
    image = torch.zeros(1, 3, side, side)
    with torch.no_grad(), _Alive() as alive:
        alive.sizes.update({p.untyped_storage()._cdata: 0 for p in parameters})
        alive.follow(image)
        model(image)
    return alive.peak / 4 / side**2
