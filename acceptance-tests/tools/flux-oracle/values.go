package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/chartutil"
	"github.com/go-logr/logr"
)

// What helm-controller reads of a HelmRelease to compose its values.
type release struct {
	Metadata struct {
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Values     map[string]any         `json:"values"`
		ValuesFrom []meta.ValuesReference `json:"valuesFrom"`
	} `json:"spec"`
}

// The values of a HelmRelease, as helm-controller v1.6 composes them, and where integers stand in them: templates print those
// otherwise than the floats that YAML gives.
func composeValues(ctx context.Context, asked request) (map[string]any, []string, error) {
	object, err := oneObject(asked.Release)
	if err != nil {
		return nil, nil, fmt.Errorf("`release`: %w", err)
	}
	plain, err := json.Marshal(object.Object)
	if err != nil {
		return nil, nil, err
	}
	var it release
	if err := json.Unmarshal(plain, &it); err != nil {
		return nil, nil, fmt.Errorf("the HelmRelease cannot be read: %w", err)
	}
	if it.Spec.Values == nil {
		it.Spec.Values = map[string]any{}
	}
	objects, err := manyObjects(asked.Objects)
	if err != nil {
		return nil, nil, fmt.Errorf("`objects`: %w", err)
	}
	cluster, err := clusterOf(objects)
	if err != nil {
		return nil, nil, err
	}
	values, err := chartutil.ChartValuesFromReferences(ctx, logr.Discard(), cluster, it.Metadata.Namespace, it.Spec.Values, it.Spec.ValuesFrom...)
	if err != nil {
		return nil, nil, err
	}
	found := integers(values.AsMap(), "", []string{})
	slices.Sort(found)
	return values, found, nil
}

func integers(value any, path string, found []string) []string {
	switch value := value.(type) {
	case int64:
		return append(found, path)
	case map[string]any:
		for key, item := range value {
			found = integers(item, path+"/"+key, found)
		}
	case []any:
		for position, item := range value {
			found = integers(item, fmt.Sprintf("%s/%d", path, position), found)
		}
	}
	return found
}
