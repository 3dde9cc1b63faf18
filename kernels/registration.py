"""Gives an op its gradient twice: for eager calls and for torch.compile.

A `torch.library` op costs about 15 us a call and 76 us with its backward, which matters at the
paper's batch of 100; an `autograd.Function` costs a few. So eager calls take the function, and only
compiled code takes the op, which the compiler can keep in its graph.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from ganbench_kernels.checks import check_tensors


class _Backward(torch.autograd.Function):
    """Runs a backward pass as an op of its own, so that a second derivative fails clearly."""

    @staticmethod
    def forward(name: str, backward: Callable[..., Any], *arguments: Any) -> Any:
        del name
        return backward(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        ctx.name = inputs[0]

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise NotImplementedError(no_second_derivative(ctx.name))


def no_second_derivative(name: str) -> str:
    """Returns the message for a double backward through an op."""
    return (
        f"{name}: gradient: has no second derivative, got a backward through its backward; "
        "write the op in plain torch for that, or call backward without create_graph"
    )


class FusedOp:
    """A forward and a backward function, made differentiable once.

    Args:
        name: of the public op.
        forward: inputs to a tuple of tensors; annotated, because torch.library reads its schema.
        fake: `forward` on shapes only.
        backward: returns a gradient per leading tensor input; annotated.
        backward_fake: `backward` on shapes only.
        save: as `torch.autograd.Function.setup_context`.
        arguments: (ctx, *output gradients) to the arguments of `backward`.
    """

    def __init__(
        self,
        name: str,
        *,
        forward: Callable[..., Any],
        fake: Callable[..., Any],
        backward: Callable[..., Any],
        backward_fake: Callable[..., Any],
        save: Callable[..., None],
        arguments: Callable[..., tuple[Any, ...]],
    ) -> None:
        forward, backward = _without_autocast(forward), _without_autocast(backward)
        self.forward, self.backward = forward, backward
        inputs = len(inspect.signature(forward).parameters)

        # torch wants one gradient for each input; ours are those of the leading tensors.
        def finish(ctx: Any, gradients: Tensor | tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
            if isinstance(gradients, Tensor):
                gradients = (gradients,)
            needed = zip(gradients, ctx.needs_input_grad, strict=False)
            given = [gradient if wanted else None for gradient, wanted in needed]
            return *given, *[None] * (inputs - len(given))

        def refuse(ctx: Any, *_: Any) -> None:
            raise NotImplementedError(no_second_derivative(name))

        # What torch.compile keeps in its graph. The backward is an op too, and must refuse a
        # gradient.
        self.op = torch.library.custom_op(
            f"ganbench::{name}", _contiguous(forward), mutates_args=()
        )
        self.backward_op = torch.library.custom_op(
            f"ganbench::{name}_backward", _contiguous(backward), mutates_args=()
        )
        self.op.register_fake(_contiguous(fake))
        self.backward_op.register_fake(_contiguous(backward_fake))
        self.op.register_autograd(
            lambda ctx, *grads: finish(ctx, self.backward_op(*arguments(ctx, *grads))),
            setup_context=save,
        )
        self.backward_op.register_autograd(refuse)

        self.function, self.transformed = self._functions(name, save, arguments, finish)

    def _functions(
        self,
        name: str,
        save: Callable[..., None],
        arguments: Callable[..., tuple[Any, ...]],
        finish: Callable[..., tuple[Tensor | None, ...]],
    ) -> tuple[type[torch.autograd.Function], type[torch.autograd.Function]]:
        """What eager calls take, and what torch.func takes."""
        run, run_backward = self.forward, self.backward

        class Eager(torch.autograd.Function):
            # With a setup_context of its own, torch inspects its signature in every call: 20 us.
            @staticmethod
            def forward(ctx: Any, *values: Any) -> Any:
                output = run(*values)
                # A gradient that nobody asked for stays None instead of becoming zeros.
                ctx.set_materialize_grads(False)
                save(ctx, values, output)
                return output

            @staticmethod
            def backward(ctx: Any, *grads: Tensor | None) -> Any:
                if all(grad is None for grad in grads):
                    return finish(ctx, ())
                values = arguments(ctx, *grads)
                if torch.is_grad_enabled():  # create_graph=True
                    return finish(ctx, _Backward.apply(name, run_backward, *values))
                return finish(ctx, run_backward(*values))

        class Transformed(Eager):
            # What torch.func demands.
            @staticmethod
            def forward(*values: Any) -> Any:  # pyright: ignore
                return run(*values)

            @staticmethod
            def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
                ctx.set_materialize_grads(False)
                save(ctx, inputs, output)

        return Eager, Transformed

    def __call__(self, *inputs: Any) -> Any:
        """Runs the op, as eager calls or the compiler need it."""
        # The cheapest path that the call allows: see the module's first lines.
        if torch.compiler.is_compiling():
            return self.op(*inputs)
        if torch._C._are_functorch_transforms_active():
            return self.transformed.apply(*inputs)
        if torch.is_grad_enabled():
            return self.function.apply(*inputs)
        return self.forward(*inputs)

    def plain(self, *inputs: Any) -> Any:
        """Runs the forward without its gradient; plain torch stays open to the compiler."""
        return (self.op if _hides_kernels(inputs) else self.forward)(*inputs)

    def plain_backward(self, *inputs: Any) -> Any:
        """Runs the backward, as `plain` does the forward."""
        return (self.backward_op if _hides_kernels(inputs) else self.backward)(*inputs)


def _hides_kernels(inputs: tuple[Any, ...]) -> bool:
    """Whether the compiler would otherwise trace through launches; the last input is `impl`."""
    return torch.compiler.is_compiling() and inputs[-1] != "reference"


def autocast(op: str, *tensors: Tensor, dtype: torch.dtype | None = None) -> tuple[Tensor, ...]:
    """Returns an op's inputs in autocast's type where that is on, as torch's own layers do.

    Args:
        op: the public op's name.
        tensors: on one device; float64 stays what it is.
        dtype: taken instead of autocast's, for ops that need float32's range.

    Raises:
        ValueError: autocast is to float16, which no op takes.
    """
    # Called first of all, so that what is no tensor is said here.
    for number, one in enumerate(tensors, 1):
        if not isinstance(one, Tensor):
            check_tensors(op, **{f"argument {number}": one})
    device = tensors[0].device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return tensors
    dtype = dtype or torch.get_autocast_dtype(device)
    if dtype == torch.float16:
        raise ValueError(
            f"{op}: autocast: should be to bfloat16, got {dtype}; "
            f"use torch.autocast({device!r}, torch.bfloat16)"
        )
    return tuple(one if one.dtype == torch.float64 else one.to(dtype) for one in tensors)


def _without_autocast(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keeps autocast out of a body: it would reach the reference's products and no kernel."""

    @wraps(function)
    def as_given(*inputs: Any) -> Any:
        device = inputs[0].device.type
        if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
            return function(*inputs)
        with torch.autocast(device, enabled=False):
            return function(*inputs)

    return as_given


def _contiguous(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes results contiguous: compiled code trusts the strides that a fake promises."""

    @wraps(function)
    def contiguous(*inputs: Any) -> Any:
        outputs = function(*inputs)
        if isinstance(outputs, Tensor):
            return outputs.contiguous()
        return tuple(output.contiguous() for output in outputs)

    return contiguous
