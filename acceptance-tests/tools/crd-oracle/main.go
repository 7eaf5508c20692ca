// Command crd-oracle says what an API server makes of a custom resource that is created, with Kubernetes' own code: nulls that
// may not be are pruned, then defaults filled in, and then the structural schema, the list types and the CEL rules validate it.
//
// It reads one JSON job per line from standard input and writes one JSON answer per line to standard output:
//
//	{"crd": {a CustomResourceDefinition}, "objects": [{an object of its kind}, …]}
//
// A job without `crd` takes that of the job before it. The version is the object's own. An answer is
// {"objects": [{"rules": […], "schema": […], "defaulted": {…}}, …]}, or {"error": "…"} for the CRD as a whole. An entry
// of `rules` is {"path": "spec.x[0]", "message": "…"}: a rule of x-kubernetes-validations that does not hold. One of `schema` is
// what the rest of the schema refuses.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

type job struct {
	CRD     *apiextensionsv1.CustomResourceDefinition `json:"crd"`
	Objects []json.RawMessage                         `json:"objects"`
}

type fault struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

type verdict struct {
	Rules     []fault        `json:"rules"`
	Schema    []fault        `json:"schema"`
	Unknown   []string       `json:"unknown"`
	Defaulted map[string]any `json:"defaulted"`
}

type answer struct {
	Objects []verdict `json:"objects"`
	Error   string    `json:"error,omitempty"`
}

func main() {
	if err := answerLines(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "crd-oracle: %v\n", err)
		os.Exit(1)
	}
}

func answerLines(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	var versions map[string]*version
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			answered, known := answerLine(line, versions)
			versions = known
			if err := answers.Encode(answered); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func answerLine(line []byte, versions map[string]*version) (answer, map[string]*version) {
	var asked job
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: fmt.Sprintf("the job is not JSON: %v", err)}, nil
	}
	if asked.CRD != nil {
		compiled, err := compile(asked.CRD)
		if err != nil {
			return answer{Error: err.Error()}, nil
		}
		versions = compiled
	}
	verdicts := make([]verdict, 0, len(asked.Objects))
	for i, raw := range asked.Objects {
		var object map[string]any
		// Whole numbers stay whole, as they do in an API server.
		if err := utiljson.Unmarshal(raw, &object); err != nil {
			return answer{Error: fmt.Sprintf("object %d: %v", i, err)}, versions
		}
		apiVersion, _ := object["apiVersion"].(string)
		known := versions[apiVersion[strings.LastIndex(apiVersion, "/")+1:]]
		if known == nil {
			return answer{Error: fmt.Sprintf("object %d: the CRD has no version of %q", i, apiVersion)}, versions
		}
		verdicts = append(verdicts, known.judge(object))
	}
	return answer{Objects: verdicts}, versions
}

// What a version of a CRD holds objects to.
type version struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func compile(crd *apiextensionsv1.CustomResourceDefinition) (map[string]*version, error) {
	var whole apiextensions.CustomResourceDefinition
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, &whole, nil); err != nil {
		return nil, err
	}
	versions := map[string]*version{}
	for i, one := range whole.Spec.Versions {
		given := one.Schema
		if given == nil {
			given = whole.Spec.Validation
		}
		if given == nil || given.OpenAPIV3Schema == nil {
			return nil, fmt.Errorf("version %d has no schema", i)
		}
		structural, err := structuralschema.NewStructural(given.OpenAPIV3Schema)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", one.Name, err)
		}
		if err := defaulting.PruneDefaults(structural); err != nil {
			return nil, fmt.Errorf("version %s: %w", one.Name, err)
		}
		schema, _, err := validation.NewSchemaValidator(given.OpenAPIV3Schema)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", one.Name, err)
		}
		rules := cel.NewValidator(structural, true, celconfig.PerCallLimit)
		versions[one.Name] = &version{structural: structural, schema: schema, rules: rules}
	}
	return versions, nil
}

func (v *version) judge(object map[string]any) verdict {
	defaulting.PruneNonNullableNullsWithoutDefaults(object, v.structural)
	unknown := pruning.PruneWithOptions(object, v.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	defaulting.Default(object, v.structural)
	judged := verdict{Unknown: unknown, Defaulted: object}
	refused := validation.ValidateCustomResource(nil, object, v.schema)
	refused = append(refused, listtype.ValidateListSetsAndMaps(nil, v.structural, object)...)
	judged.Schema = faults(refused)
	if v.rules != nil {
		// Rules are asked whatever the schema says, and with a budget that no object here uses up.
		broken, _ := v.rules.Validate(context.Background(), nil, v.structural, object, nil, 1<<62)
		judged.Rules = faults(broken)
	}
	return judged
}

func faults(errs field.ErrorList) []fault {
	all := make([]fault, len(errs))
	for i, err := range errs {
		all[i] = fault{Path: err.Field, Message: err.Detail}
	}
	return all
}
