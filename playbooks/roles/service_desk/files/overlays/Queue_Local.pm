# See TakingPart.pm.
package RT::Queue;

use strict;
use warnings;
use RT::TakingPart;

RT::TakingPart::guard(__PACKAGE__);

1;
