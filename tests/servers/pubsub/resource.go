package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// Names, lookups, update masks and pages of all kinds of resources.

var nameRE = regexp.MustCompile(`^projects/([^/]+)/(topics|subscriptions|snapshots|schemas)/([A-Za-z][A-Za-z0-9._~+%-]{2,254})$`)

func splitName(name string) (ok bool, project, kind, id string) {
	m := nameRE.FindStringSubmatch(name)
	if m == nil || strings.HasPrefix(m[3], "goog") {
		return false, "", "", ""
	}
	return true, m[1], m[2], m[3]
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func checkName(name, kind string) error {
	if ok, _, k, _ := splitName(name); !ok || k != kind {
		return invalid("Invalid resource name given (name=%s)", name)
	}
	return nil
}

// lookup returns a resource or NOT_FOUND.
func lookup[T any](m map[string]T, name string) (T, error) {
	v, ok := m[name]
	if !ok {
		return v, status.Errorf(codes.NotFound, "Resource not found (resource=%s)", name[strings.LastIndex(name, "/")+1:])
	}
	return v, nil
}

// absent checks the name of a resource to be created.
func absent[T any](m map[string]T, name, kind string) error {
	if err := checkName(name, kind); err != nil {
		return err
	}
	if _, ok := m[name]; ok {
		return status.Errorf(codes.AlreadyExists, "Resource already exists in the project (resource=%s)", name[strings.LastIndex(name, "/")+1:])
	}
	return nil
}

// get returns a copy of a resource's configuration.
func get[T any, P proto.Message](b *broker, m map[string]T, name string, conf func(T) P) (p P, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := lookup(m, name)
	if err != nil {
		return p, err
	}
	return proto.CloneOf(conf(v)), nil
}

// list returns one page of what of selects from the resources under parent, in
// name order; the page token is the last name.
func list[T, R any](b *broker, m map[string]T, parent, token string, size int32, of func(T) (R, bool)) (out []R, next string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(name, parent+"/") || name <= token {
			continue
		}
		r, ok := of(m[name])
		if !ok {
			continue
		}
		if size > 0 && len(out) == int(size) {
			return out, next
		}
		out, next = append(out, r), name
	}
	return out, ""
}

// applyMask copies the masked fields, all of which must be in mutable.
func applyMask(dst, src proto.Message, mask *fieldmaskpb.FieldMask, mutable ...string) error {
	if len(mask.GetPaths()) == 0 {
		return invalid("The update_mask must be specified and non-empty")
	}
	for _, path := range mask.Paths {
		d, s := dst.ProtoReflect(), src.ProtoReflect()
		steps := strings.Split(path, ".")
		if !slices.Contains(mutable, steps[0]) {
			return invalid("Invalid update_mask provided: %q is not a known or mutable field", path)
		}
		for i, step := range steps {
			fd := d.Descriptor().Fields().ByName(protoreflect.Name(step))
			switch {
			case fd == nil || i < len(steps)-1 && (fd.Message() == nil || fd.IsMap()):
				return invalid("Invalid update_mask provided: %q", path)
			case i < len(steps)-1:
				d, s = d.Mutable(fd).Message(), s.Get(fd).Message()
			case s.Has(fd):
				d.Set(fd, s.Get(fd))
			default:
				d.Clear(fd)
			}
		}
	}
	return nil
}
