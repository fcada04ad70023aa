//! Field expressions.

use super::error::{ValidationError, text};
use super::{Checker, mismatch, supported};
use crate::ast::{BinaryOp, Compare, Expr, Field, Scope, Static};
use crate::limits::MAX_REGEX_STATES_PER_QUERY;
use crate::regex::Pattern;
use crate::types::{Type, allows_unary, check_binary, of_binary};

impl Checker {
    pub(super) fn filter(&mut self, expr: &Expr) -> Result<(), ValidationError> {
        if !self.type_of(expr)?.may_be_bool() {
            return Err(ValidationError::FilterNotBoolean(text(expr)));
        }
        Ok(())
    }

    /// Checks an expression and gives its type.
    pub(super) fn type_of(&mut self, expr: &Expr) -> Result<Type, ValidationError> {
        match expr {
            Expr::Static(value) => Ok(Type::of(value)),
            Expr::Field(field) => {
                supported(field)?;
                Ok(Type::of_field(field))
            }
            Expr::Unary { op, inner } => {
                let of = self.type_of(inner)?;
                if !allows_unary(*op, of) {
                    return Err(ValidationError::IllegalUnary(text(expr)));
                }
                Ok(of)
            }
            Expr::Exists(inner) => {
                self.type_of(inner)?;
                Ok(Type::Bool)
            }
            Expr::NotExists(inner) => {
                self.type_of(inner)?;
                match &**inner {
                    Expr::Field(field) if is_never_nil(field) => {
                        Err(ValidationError::NeverNil(text(field), text(expr)))
                    }
                    _ => Ok(Type::Bool),
                }
            }
            Expr::Binary { op, left, right } => {
                let of_left = self.type_of(left)?;
                let of_right = self.type_of(right)?;
                check_binary(*op, of_left, of_right).map_err(|why| mismatch(why, expr))?;
                if matches!(op, BinaryOp::Compare(Compare::Regex | Compare::NotRegex)) {
                    self.pattern(right, expr)?;
                }
                Ok(of_binary(*op, of_left, of_right))
            }
        }
    }

    fn pattern(&mut self, pattern: &Expr, whole: &Expr) -> Result<(), ValidationError> {
        let Expr::Static(Static::String(pattern)) = pattern else {
            return Err(ValidationError::PatternNotLiteral(text(whole)));
        };
        self.regex_states += Pattern::read(pattern)?.states();
        if self.regex_states > MAX_REGEX_STATES_PER_QUERY {
            return Err(ValidationError::RegexesTooComplex);
        }
        Ok(())
    }
}

/// Intrinsics and the service name have a value on every span.
fn is_never_nil(field: &Field) -> bool {
    match field {
        Field::Intrinsic(_) => true,
        Field::Attribute(attribute) => {
            attribute.scope == Scope::Resource && &*attribute.key == "service.name"
        }
    }
}
