"""Template expressions, parameters and plans, without a sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from include.sandbox.templates.errors import TemplateError
from include.sandbox.templates.evaluation import Evaluator
from include.sandbox.templates.plan import Plan
from include.sandbox.templates.scope import Scope
from include.sandbox.wire import ArmError

SUBSCRIPTION = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg"


def scope() -> Scope:
    return Scope(
        subscription={"id": SUBSCRIPTION, "subscriptionId": SUBSCRIPTION.rsplit("/", 1)[1]},
        tenant={"tenantId": "t"},
        environment={"name": "Sandbox"},
        deployment={"name": "d"},
        group={"id": GROUP, "name": "rg", "location": "westeurope"},
    )


def plan(template: dict[str, Any], given: dict[str, Any] | None = None) -> Plan:
    whole = {"$schema": "s", "contentVersion": "1.0.0.0", "resources": [], **template}
    return Plan(whole, {name: {"value": value} for name, value in (given or {}).items()}, scope())


def evaluate(text: str, **parameters: Any) -> Any:
    return Evaluator(scope(), parameter=parameters.__getitem__, variables={"v": {"a": [1, {"b": "deep"}]}}).tree(text)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("no expression", "no expression"),
        ("[[escaped]", "[escaped]"),
        ("[not closed", "[not closed"),
        ("[concat('a', 'it''s', 1)]", "ait's1"),
        ("[concat(createArray(1), createArray(2, 3))]", [1, 2, 3]),
        ("[format('{0}-{1:D3}-{{x}}', 'a', 7)]", "a-007-{x}"),
        ("[variables('V').a[1].b]", "deep"),
        ("[variables('v').a[sub(2, 1)]['B']]", "deep"),
        ("[variables('v').?missing]", None),
        ("[coalesce(variables('v').?missing, 'other')]", "other"),
        ("[if(equals(1, 1), 'yes', variables('no such variable'))]", "yes"),
        ("[and(true(), or(false(), not(false())))]", True),
        ("[or(true(), bool('no boolean'))]", True),
        ("[div(-7, 2)]", -3),
        ("[mod(-7, 2)]", -1),
        ("[max(createArray(3, 9, 4))]", 9),
        ("[equals(1, true())]", False),
        ("[equals(createObject('a', 1), json('{\"a\": 1}'))]", True),
        ("[length('four')]", 4),
        ("[contains(createObject('Key', 1), 'key')]", True),
        ("[empty(null())]", True),
        ("[take('abcdef', 2)]", "ab"),
        ("[skip(createArray(1, 2, 3), 2)]", [3]),
        ("[split('a,b;c', createArray(',', ';'))]", ["a", "b", "c"]),
        ("[join(createArray('a', 2), '-')]", "a-2"),
        ("[substring('abcdef', 2, 3)]", "cde"),
        ("[toUpper(trim('  a '))]", "A"),
        ("[startsWith('Abc', 'aB')]", True),
        ("[lastIndexOf('abab', 'B')]", 3),
        ("[padLeft(7, 3, '0')]", "007"),
        ("[base64ToString(base64('häuser'))]", "häuser"),
        ("[uriComponent('a b/c')]", "a%20b%2Fc"),
        ("[uri('https://x.io/a/', 'b')]", "https://x.io/a/b"),
        ("[union(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2)))]", {"a": {"x": 1, "y": 2}}),
        ("[union(createArray(1, 2), createArray(2, 3))]", [1, 2, 3]),
        ("[intersection(createArray(1, 2), createArray(2, 3))]", [2]),
        ("[range(3, 2)]", [3, 4]),
        ("[string(createObject('a', createArray(1, true())))]", '{"a":[1,true]}'),
        ("[string(true())]", "True"),
        ("[int('12')]", 12),
        ("[map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2)))]", [0, 2, 4]),
        ("[filter(createArray(1, 5), lambda('x', greater(lambdaVariables('x'), 2)))]", [5]),
        ("[reduce(createArray(1, 5), 0, lambda('sum', 'x', add(lambdaVariables('sum'), lambdaVariables('x'))))]", 6),
        ("[toObject(createArray('a'), lambda('x', lambdaVariables('x')), lambda('x', 1))]", {"a": 1}),
        ("[resourceGroup().location]", "westeurope"),
        ("[resourceId('Microsoft.Compute/galleries/images', 'g', 'i')]", f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/i"),
        (
            "[resourceId('other', 'Microsoft.Compute/disks', 'd')]",
            f"{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.Compute/disks/d",
        ),
        (
            "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')]",
            f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/r",
        ),
        ("[dateTimeAdd('2026-01-31T00:00:00Z', 'P1DT2H', 'yyyy-MM-dd HH')]", "2026-02-01 02"),
        ("[uniqueString('test')]", "rbgf3xv4ufgzg"),
        ("[equals(guid('a', 'b'), guid('a', 'b'))]", True),
        ("[length(guid('a'))]", 36),
    ],
)
def test_an_expression_has_its_value(expression: str, value: Any) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("[nosuch()]", "The template function 'nosuch' is not valid."),
        ("[variables('x')]", "The template variable 'x' is not found."),
        ("[variables('v').x]", "The language expression property 'x' doesn't exist, available properties are 'a'."),
        ("[variables('v').a[9]]", "The language expression property array index '9' is out of bounds."),
        ("[concat('a]", "the string constant at position '7' is not terminated."),
        ("[toLower('a', 'b')]", "function requires '1' argument(s) while '2' were provided."),
        ("[toLower(1)]", "expects its parameter to be a string. The provided value is of type 'Integer'."),
        ("[resourceId('Microsoft.Compute/disks', 'a', 'b')]", "the type 'Microsoft.Compute/disks' requires '1' resource name argument(s)."),
        ("[concat(]", "expected token 'Identifier' and actual 'EndOfData'"),
        ("[copyIndex()]", "can only be used in a resource with copy specified"),
    ],
)
def test_a_wrong_expression_is_told_as_arm_tells_it(expression: str, said: str) -> None:
    with pytest.raises(TemplateError) as problem:
        evaluate(expression)
    assert said in problem.value.message


def vnet(**more: Any) -> dict[str, Any]:
    return {"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "name": "v", "location": "westeurope", **more}


def failure(template: dict[str, Any], given: dict[str, Any] | None = None) -> ArmError:
    with pytest.raises(ArmError) as problem:
        plan(template, given)
    assert (problem.value.status, problem.value.code) == (400, "InvalidTemplate")
    return problem.value


def test_a_parameter_takes_its_default_and_may_name_another() -> None:
    made = plan(
        {
            "parameters": {
                "b": {"type": "string", "defaultValue": "[concat(parameters('a'), '2')]"},
                "a": {"type": "String"},
                "secret": {"type": "secureString"},
            }
        },
        {"A": "x", "secret": "hidden"},
    )
    assert made.parameters.value("b") == "x2"
    assert made.parameters.shown == {
        "b": {"type": "String", "value": "x2"},
        "a": {"type": "String", "value": "x"},
        "secret": {"type": "SecureString"},
    }


@pytest.mark.parametrize(
    ("declared", "given", "said"),
    [
        ({"type": "string"}, {}, "The value for the template parameter 'p' at line '0' and column '0' is not provided."),
        ({"type": "string"}, {"p": "a", "q": 1}, "The template parameters 'q' in the parameters file are not valid"),
        ({"type": "string"}, {"p": 1}, "Expected 'String, Uri'. Actual 'Integer'."),
        ({"type": "int"}, {"p": True}, "Expected 'Integer'. Actual 'Boolean'."),
        ({"type": "text"}, {"p": "a"}, "has an invalid type 'text'"),
        ({"type": "string", "allowedValues": ["a", "b"]}, {"p": "c"}, "not part of the allowed value(s): 'a,b'"),
        ({"type": "int", "maxValue": 3}, {"p": 4}, "The value should be less than or equal to '3'."),
        ({"type": "string", "minLength": 3}, {"p": "a"}, "Length of the value should be greater than or equal to '3'."),
    ],
)
def test_an_unfit_parameter_is_refused(declared: dict[str, Any], given: dict[str, Any], said: str) -> None:
    assert said in failure({"parameters": {"p": declared}}, given).message


def test_variables_loop_and_count() -> None:
    made = plan({"variables": {"copy": [{"name": "names", "count": 3, "input": "[concat('n', copyIndex('names', 1))]"}]}})
    assert made.evaluator().tree("[variables('names')]") == ["n1", "n2", "n3"]


def test_a_loop_makes_resources_and_a_condition_leaves_one_out() -> None:
    made = plan(
        {
            "resources": [
                vnet(name="[concat('v', copyIndex())]", copy={"name": "nets", "count": 2}),
                vnet(name="gone", condition="[equals(1, 2)]"),
                vnet(name="last", dependsOn=["nets", "gone"]),
            ]
        }
    )
    assert [one.name for one in made.resources] == ["v0", "v1", "last"]
    assert [key.rsplit("/", 1)[1] for key in made.resources[2].depends_on] == ["v0", "v1"]


def test_a_serial_loop_waits_for_its_batches() -> None:
    made = plan({"resources": [vnet(name="[string(copyIndex())]", copy={"name": "c", "count": 4, "mode": "serial", "batchSize": 2})]})
    assert [len(one.depends_on) for one in made.resources] == [0, 0, 2, 2]


def test_a_property_loop_fills_an_array() -> None:
    made = plan(
        {
            "resources": [
                vnet(properties={"copy": [{"name": "subnets", "count": 2, "input": {"name": "[concat('s', copyIndex('subnets'))]"}}]}),
            ]
        }
    )
    assert made.body(made.resources[0])["properties"] == {"subnets": [{"name": "s0"}, {"name": "s1"}]}


def test_a_nested_resource_gets_its_parents_name() -> None:
    child = {"type": "subnets", "apiVersion": "2024-05-01", "name": "s", "properties": {}, "dependsOn": ["v"]}
    made = plan({"resources": [vnet(resources=[child])]})
    assert made.resources[1].id == f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    assert made.resources[1].depends_on == [made.resources[0].key]


def test_a_reference_is_a_dependency_and_unknown_before_the_deployment_runs() -> None:
    made = plan(
        {
            "resources": [vnet(), vnet(name="w", tags={"a": "[concat('x', reference('v').guid)]"})],
            "outputs": {"o": {"type": "string", "value": "[reference('v').guid]"}},
        }
    )
    assert made.resources[1].depends_on == [made.resources[0].key]
    assert made.dependencies[0]["resourceName"] == "w"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({"resources": [vnet(dependsOn=["x"])]}, "The resource 'x' is not defined in the template."),
        ({"resources": [vnet(dependsOn=["w"]), vnet(name="w", dependsOn=["v"])]}, "Circular dependency detected on resource:"),
        ({"resources": [vnet(), vnet()]}, "is defined multiple times in a template."),
        ({"resources": [vnet(name="")]}, "The name property cannot be null or empty."),
        ({"resources": [vnet(name="a/b")]}, "identical number of segments"),
        ({"resources": [vnet(name="[reference('x')]")]}, "The template function 'reference' is not expected at this location."),
        ({"resources": [vnet(properties="[variables('x')]")]}, "Unable to process template language expressions for resource"),
        ({"resources": [vnet(colour="red")]}, "Could not find member 'colour' on object of type 'TemplateResource'."),
        ({"resorces": []}, "Could not find member 'resorces' on object of type 'Template'."),
        ({"variables": {"a": "[variables('b')]", "b": "[variables('a')]"}}, "circular dependency"),
        ({"outputs": {"o": {"type": "string", "value": "[variables('x')]"}}}, "The template variable 'x' is not found."),
    ],
)
def test_a_wrong_template_is_told_as_arm_tells_it(template: dict[str, Any], said: str) -> None:
    assert said in failure(template).message


def test_a_nested_template_is_evaluated_by_the_outer_or_by_itself() -> None:
    inner = {
        "$schema": "s",
        "contentVersion": "1.0.0.0",
        "resources": [],
        "outputs": {
            "a": {"type": "string", "value": "[variables('who')]"},
            "b": {"type": "string", "value": "[concat(variables('who'), reference('x').y)]"},
        },
    }

    def body(**options: Any) -> dict[str, Any]:
        nested = {
            "type": "Microsoft.Resources/deployments",
            "apiVersion": "2022-09-01",
            "name": "n",
            "properties": {"mode": "Incremental", "template": inner, **options},
        }
        made = plan({"variables": {"who": "outer"}, "resources": [nested]})
        return dict(made.body(made.resources[0])["properties"]["template"]["outputs"])

    outer = body()
    assert (outer["a"]["value"], outer["b"]["value"]) == ("outer", "[concat('outer', reference('x')['y'])]")
    own = body(expressionEvaluationOptions={"scope": "inner"})
    assert own["a"]["value"] == "[variables('who')]"


def test_a_function_of_the_templates_own_is_called() -> None:
    functions = [
        {
            "namespace": "own",
            "members": {
                "twice": {
                    "parameters": [{"name": "x", "type": "string"}],
                    "output": {"type": "string", "value": "[concat(parameters('x'), parameters('x'))]"},
                }
            },
        }
    ]
    made = plan({"functions": functions, "variables": {"v": "[own.twice('ab')]"}})
    assert made.evaluator().tree("[variables('v')]") == "abab"
