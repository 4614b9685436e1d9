"""Azure Resource Manager's template language: expressions, functions, and a template's plan of resources.

`expressions` reads `[...]`, `functions` computes, `evaluation` knows parameters and variables, `parameters` checks what a deployment was
given, `plan` turns a template into resources in an order, `scope` knows how ids are made, `errors` has ARM's words for what is wrong.
"""
