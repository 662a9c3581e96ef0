"""CEL, the Common Expression Language, as Kubernetes uses it: parser, checker, cost, compiled evaluation. docs/cel.md tells how.

program.py      compile(), Program           types.py       what the checker knows      values.py     what evaluation has
parser.py       (lexer.py, macros.py) tree.py               checker.py (unify.py)       validators.py bad constants
compiler.py     (parts, access, calls, fast, folds)         estimate.py (size.py) runtime_cost.py     schema.py, escaping.py
functions.py    overloads; standard.py (arithmetic, conversions, times, regex); library/  Kubernetes' own
errors.py       CompileError, EvaluationError, CostExceeded

`kube.cel.compile` and `kube.cel.Program` are program.py's: import them where they are used, not at start.
"""

from kube.cel.errors import CelError, CompileError, CostExceeded, EvaluationError
from kube.cel.program import Program, compile  # noqa: A004

__all__ = ["CelError", "CompileError", "CostExceeded", "EvaluationError", "Program", "compile"]
